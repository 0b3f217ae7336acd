"""Sends requests to the Kubernetes API server: returns objects as plain JSON, and raises the domain's errors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from norn_tasks.adapters.kubernetes.access import CONNECT_SECONDS, ClusterAccess
from norn_tasks.adapters.kubernetes.refusals import refusal
from norn_tasks.adapters.kubernetes.site import Object, Seen, ServerVersion
from norn_tasks.domain.errors import ClusterDown

MANAGER = "norn"
"""The field manager of everything that Norn applies."""
_APPLY, _PATCH, _JSON = "application/apply-patch+yaml", "application/json-patch+json", "application/json"
_READ_SECONDS, _ALIVE_SECONDS = 15, 3
READ_ON = 10
"""Seconds without data after which a stream is opened again, because a dead connection looks like an app that writes
nothing.
"""
_VERSION_SECONDS = 600
_PAGE = 500
_PLACES = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "Pod": ("api/v1", "pods"),
    "Service": ("api/v1", "services"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Secret": ("api/v1", "secrets"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "Event": ("api/v1", "events"),
    "Job": ("apis/batch/v1", "jobs"),
}


class Api:
    """One namespace of one API server. Every call raises ClusterDown if the server does not answer."""

    def __init__(self, access: ClusterAccess) -> None:
        self.namespace = access.namespace
        self._access = access
        self._lock = threading.Lock()
        self._client: Any = None
        self._version: tuple[float, ServerVersion] | None = None

    def version(self) -> ServerVersion:
        """Returns the version of the server; asks the server at most once in ten minutes."""
        if self._version is None or time.monotonic() - self._version[0] > _VERSION_SECONDS:
            found = ServerVersion.read(self._answer("GET", "version", "read", "its version"))
            self._version = time.monotonic(), found
        return self._version[1]

    def require_answer(self) -> None:
        """Raises ClusterDown if the server does not answer within a few seconds."""
        status, body = self.send("GET", "version", seconds=_ALIVE_SECONDS)
        self._read(status, body, "read", "its version")

    def get(self, kind: str, name: str) -> Object | None:
        """Returns an object; None if it does not exist."""
        status, body = self.send("GET", self.path(kind, name))
        if status == 404:
            return None
        return {"kind": kind, **self._read(status, body, "read", f"{kind} {name}")}

    def all_of(self, kind: str, selector: str = "") -> tuple[Object, ...]:
        """Lists the objects of a kind that match the label selector."""
        found: list[Object] = []
        more = ""
        while True:
            query = {"labelSelector": selector, "limit": str(_PAGE), "continue": more}
            answer = self._answer("GET", self.path(kind), "list", f"{kind}s", query=query)
            found += [{"kind": kind, **each} for each in answer["items"]]
            more = answer["metadata"].get("continue") or ""
            if not more:
                return tuple(found)

    def version_of_all(self, kind: str, selector: str) -> str:
        """Returns the version of the list of these objects. A watch that starts at this version reports each later
        change.
        """
        query = {"labelSelector": selector, "limit": "1"}
        listed = self._answer("GET", self.path(kind), "list", f"{kind}s", query=query)
        return str(listed["metadata"]["resourceVersion"])

    def create(self, wanted: Seen) -> Object:
        """Creates an object; raises ObjectMoved if it already exists."""
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        made = self._answer(
            "POST", self.path(kind), "create", f"{kind} {name}", wanted, query={"fieldManager": MANAGER}
        )
        return {"kind": kind, **made}

    def apply(self, wanted: Seen) -> Object:
        """Applies a complete object; raises ObjectMoved if its `resourceVersion` or `uid` differs from the server's."""
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        query = {"fieldManager": MANAGER, "force": "true"}
        return self._answer(
            "PATCH", self.path(kind, name), "patch", f"{kind} {name}", wanted, query=query, content=_APPLY
        )

    def patch(self, seen: Seen, changes: list[Object]) -> Object:
        """Changes single fields of an object with a JSON patch; raises ObjectMoved on a conflict."""
        kind, name = seen["kind"], seen["metadata"]["name"]
        return self._answer("PATCH", self.path(kind, name), "patch", f"{kind} {name}", changes, content=_PATCH)

    def delete(self, seen: Seen, *, foreground: bool = False) -> None:
        """Deletes the object; raises ObjectMoved if it has changed since it was read. Does nothing if it does not
        exist.
        """
        kind, metadata = seen["kind"], seen["metadata"]
        exactly = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        policy = "Foreground" if foreground else "Background"
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": exactly, "propagationPolicy": policy}
        status, said = self.send("DELETE", self.path(kind, metadata["name"]), body)
        if status != 404:
            self._read(status, said, "delete", f"{kind} {metadata['name']}")

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Returns True if Norn's credentials allow the verb on a resource in the namespace."""
        name, _, sub = resource.partition("/")
        asked = {"namespace": self.namespace, "verb": verb, "group": group, "resource": name, "subresource": sub}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._answer("POST", path, "ask for", "its own rights", body)["status"]["allowed"])

    def path(self, kind: str, name: str = "") -> str:
        """Returns the path of an object in the namespace, or of all objects of its kind."""
        group, plural = _PLACES.get(kind) or (f"apis/{self.version().budget_group}", "poddisruptionbudgets")
        return f"{group}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content: str = _JSON,
        seconds: float = _READ_SECONDS,
    ) -> tuple[int, bytes]:
        """Sends a request; returns the status and the body of the response. `seconds`: how long the server may take."""
        with self._errors():
            response = self._pool.request(
                method,
                self.url(path, query),
                body=json.dumps(body).encode() if body is not None else None,
                headers={**self.headers(), "Content-Type": content},
                timeout=self._timeout(seconds),
                retries=1 if method == "GET" else False,
            )
            return int(response.status), bytes(response.data)

    def stream(self, path: str, query: Mapping[str, str], quiet: float = READ_ON) -> Any:
        """Opens a response that the caller reads and closes; a read fails after `quiet` seconds without a byte."""
        from urllib3 import Timeout

        with self._errors():
            response = self._pool.request(
                "GET", self.url(path, query), headers=self.headers(), preload_content=False, retries=False,
                timeout=Timeout(connect=CONNECT_SECONDS, read=quiet),
            )  # fmt: skip
            if response.status >= 300:
                raise refusal(response.status, response.read(), "read", path.rpartition("/")[2])
            return response

    def url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Returns the address of a path."""
        asked = {key: value for key, value in (query or {}).items() if value}
        return f"{self.configuration.host}/{path}" + (f"?{urlencode(asked)}" if asked else "")

    def headers(self) -> dict[str, str]:
        """Returns the headers with the credentials, which are renewed shortly before they expire."""
        token = self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token} if token else {}

    @property
    def configuration(self) -> Any:
        """The configuration of the client library."""
        return self._connected().configuration

    @property
    def _pool(self) -> Any:
        return self._connected().rest_client.pool_manager

    def _connected(self) -> Any:
        from kubernetes import client

        with self._lock:
            if self._client is None:
                self._client = client.ApiClient(self._access.configured())
            return self._client

    def _answer(
        self,
        method: str,
        path: str,
        verb: str,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content: str = _JSON,
    ) -> Object:
        return self._read(*self.send(method, path, body, query, content), verb, what)

    def _read(self, status: int, body: bytes, verb: str, what: str) -> Object:
        if status >= 300:
            raise refusal(status, body, verb, what)
        found: Object = json.loads(body)
        return found

    @staticmethod
    def _timeout(seconds: float) -> Any:
        from urllib3 import Timeout

        return Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (HTTPError, OSError) as error:
            raise ClusterDown(
                f"the API server {self.configuration.host} does not answer: {_short(error)}",
                hint="kubectl version, with the kubeconfig of Norn's workers",
            ) from error


def _short(error: Exception) -> str:
    """Returns the innermost reason of a nested error of the HTTP client."""
    reason = getattr(error, "reason", None) or error
    text = str(reason).rpartition(">: ")[2] or type(error).__name__
    return text.rpartition("): ")[2][:200]
