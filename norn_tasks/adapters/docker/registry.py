"""Image registries with their credentials and errors: Norn's own registry, through which engines share images, and the
registries from which apps take images.

The engine itself pushes and pulls images. So it must be able to reach a registry and to trust it (a registry without
TLS must be listed in `insecure-registries` in the engine's daemon.json).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.auth import load_config, resolve_repository_name
from docker.errors import DockerException

from norn_tasks.domain.errors import InvalidRequest, NotFound, RegistryFailed, StepFailed

_ADDRESS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._/-]+)?")
_HINT = "is it up, and may this engine use it? NORN_REGISTRY_URL, NORN_REGISTRY_CONFIG, the engine's daemon.json"


@dataclass(frozen=True)
class Registry:
    """A registry at `address` (host[:port][/path]); `config`: docker's config.json with its credentials, or None."""

    address: str
    config: Path | None = None

    @staticmethod
    def at(url: str, config: Path | None) -> Registry | None:
        """Makes a registry from the settings; None for an empty URL. Raises InvalidRequest for an invalid one."""
        if not url:
            return None
        address = re.sub(r"^https?://", "", url).rstrip("/")
        if not _ADDRESS.fullmatch(address):
            raise InvalidRequest(
                f"NORN_REGISTRY_URL: {url} is not a registry", hint="write host:port, such as registry.example:5000"
            )
        return Registry(address, config)

    def owner(self, reference: str, instance: str) -> str | None:
        """Returns the app that published the image at `reference`; None if no app did.

        Images of the control plane `instance` are recognised by their path, because a registry may have several names.
        Images of other control planes are recognised only at this registry's address; for such an image the result is
        `norn-<instance>/<app>`, a name that no app of this control plane has.
        """
        path = reference.partition("@")[0].lower()
        ours = re.search(rf"(?:^|/)norn-{re.escape(instance.lower())}/([^:/]+)", path) if instance else None
        if ours is not None:
            return ours[1]
        theirs = re.match(rf"{re.escape(self.address.lower())}/(norn-[^/]+/[^:/]+)", path)
        return theirs[1] if theirs else None

    def push(self, client: APIClient, image_id: str, name: str) -> str:
        """Pushes an image under `name` (`path:tag`) and returns its reference by digest."""
        path, _, tag = name.rpartition(":")
        repository = f"{self.address}/{path}"
        client.tag(image_id, repository, tag)
        said = client.push(repository, tag, stream=True, decode=True, auth_config=self._credentials())
        digest = self._ended(said, "did not take the image")
        return f"{repository}@{digest}"

    def digest_of(self, client: APIClient, reference: str) -> str:
        """Returns the digest that a tag has in the registry now, without pulling the image."""
        found: dict[str, Any] = client.inspect_distribution(  # type: ignore[no-untyped-call]
            reference, auth_config=self._credentials()
        )
        return str(found["Descriptor"]["digest"])

    def pull(self, client: APIClient, reference: str) -> None:
        """Pulls an image by its reference."""
        repository, _, digest = reference.partition("@")
        said = client.pull(repository, digest, stream=True, decode=True, auth_config=self._credentials())
        self._ended(said, f"does not give {reference}")

    def login_of_nodes(self) -> str:
        """Returns the registry's credentials as the content of a `.dockerconfigjson`, with which Kubernetes nodes pull
        images; empty if none are configured.
        """
        found = self._credentials() if self.config is not None else None
        if not found:
            return ""
        host, _ = resolve_repository_name(f"{self.address}/x")
        pair = base64.b64encode(f"{found.get('username', '')}:{found.get('password', '')}".encode()).decode()
        return json.dumps({"auths": {host: {"auth": pair}}})

    def failed(self, what: str, said: object) -> RegistryFailed:
        """Returns the error for a registry call that failed."""
        return RegistryFailed(f"the registry {self.address} {what}: {str(said).strip()[:300]}", hint=_HINT)

    def _ended(self, said: Iterable[dict[str, Any]], what: str) -> str:
        digest = ""
        for line in said:
            if "error" in line:
                raise self.failed(what, line["error"])
            digest = (line.get("aux") or {}).get("Digest") or digest
        return digest

    def _credentials(self) -> dict[str, str] | None:
        """Returns the credentials in the configured file. If it returns None, the Docker client uses the credentials of
        its own user.
        """
        if self.config is None:
            return None
        host, _ = resolve_repository_name(f"{self.address}/x")
        try:
            json.loads(self.config.read_text())
            return load_config(config_path=str(self.config)).resolve_authconfig(host) or {}
        except (OSError, ValueError, DockerException) as error:
            raise self.failed("cannot be used", f"its credentials in {self.config} cannot be read: {error}") from error


@dataclass(frozen=True)
class Registries:
    """All registries: `own` has the images that Norn publishes; the other registries have images that apps use.

    `own` is None if there is only one engine, which needs no registry. `config`: docker's config.json with the
    credentials of all registries, or None.
    """

    own: Registry | None
    config: Path | None = None

    def of(self, reference: str) -> Registry:
        """Returns the registry of an image."""
        if self.own is not None and reference.startswith(f"{self.own.address}/"):
            return self.own
        host, _ = resolve_repository_name(reference.partition("@")[0])
        return Registry(host, self.config)

    def login_of_nodes(self, reference: str) -> str:
        """Returns the content of a `.dockerconfigjson` for the registry of an image; without an image, for Norn's own
        registry.
        """
        if reference:
            return self.of(reference).login_of_nodes()
        return self.own.login_of_nodes() if self.own is not None else ""


@contextmanager
def registry_failures(registry: Registry, what: str) -> Iterator[None]:
    """Turns an error that the engine reports about the registry into a RegistryFailed."""
    try:
        yield
    except RegistryFailed:
        raise
    except (NotFound, StepFailed) as error:
        raise registry.failed(what, error.facts.get("said", error)) from error
