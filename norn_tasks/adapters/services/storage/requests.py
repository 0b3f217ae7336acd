"""Requests to one object store: S3 for buckets and objects, IAM for users, keys and policies.

The store is given by a URL such as https://KEY:SECRET@s3.example.com?region=eu-1&iam=https://iam.example.com. Without
`iam`, requests about users go to the store itself, as SeaweedFS expects.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx

from norn_tasks.adapters.services.storage.signing import AccessKey, SigningScope, signed
from norn_tasks.domain.errors import ServiceDown, StepFailed
from norn_tasks.domain.secret import Secret

REGION = "us-east-1"
"""The region that is used if the URL names none."""
_SECONDS = 20.0
_SERVER_ERROR = 500
_REFUSED = 400
_REDIRECT = 300
_HINT = "norn doctor; docs/services.md says what the key of NORN_SERVICES_S3_URL needs"


class StoreRefused(StepFailed):
    """Raised when the store refuses a request; `reason` is the code of its error, such as NoSuchBucket."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence, hint=_HINT)
        self.reason = reason


class ObjectStore:
    """A connection to an object store; `with` closes it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._iam = query.get("iam", self._endpoint).rstrip("/")
        self.region = query.get("region", REGION)
        self._key = AccessKey(unquote(parts.username or ""), Secret(unquote(parts.password or "")))
        self._client = httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False)

    def __enter__(self) -> ObjectStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def s3(
        self, method: str, bucket: str, query: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> str:
        """Sends a request and returns the body of the reply; `bucket` may also be `bucket/object` with a URL-quoted
        name.
        """
        url = f"{self._endpoint}/{bucket}{f'?{query}' if query else ''}"
        return self._sent(self._of_s3, method, url, body, headers or {})

    def send(self, method: str, path: str, pieces: Iterable[bytes], sha256: str, headers: Mapping[str, str]) -> None:
        """Sends a request with a large body, the checksum of which is already known; `path` must be URL-quoted."""
        url = f"{self._endpoint}/{path}"
        given = signed(self._of_s3, method, url, b"", datetime.now(UTC), headers, sha256=sha256)
        with self._answered():
            reply = self._client.request(method, url, content=pieces, headers=given)
        _require_good(reply.status_code, reply.text)

    @contextmanager
    def reading(self, path: str) -> Iterator[Iterator[bytes]]:
        """Yields an iterator over the pieces of an object; `path` must be URL-quoted."""
        url = f"{self._endpoint}/{path}"
        headers = signed(self._of_s3, "GET", url, b"", datetime.now(UTC))
        with self._answered(), self._client.stream("GET", url, headers=headers) as reply:
            if reply.status_code >= _REFUSED:
                reply.read()
                _require_good(reply.status_code, reply.text)
            yield reply.iter_bytes()

    def iam(self, action: str, **words: str) -> str:
        """Sends a request about a user and returns the body of the reply."""
        body = urlencode({"Action": action, "Version": "2010-05-08", **words}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        # AWS users belong to no region, and the endpoint for them expects this one.
        return self._sent(SigningScope(self._key, REGION, "iam"), "POST", f"{self._iam}/", body, headers)

    def _sent(self, scope: SigningScope, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        given = signed(scope, method, url, body, datetime.now(UTC), headers)
        with self._answered():
            reply = self._client.request(method, url, content=body, headers=given)
        _require_good(reply.status_code, reply.text)
        return reply.text

    @property
    def _of_s3(self) -> SigningScope:
        return SigningScope(self._key, self.region, "s3")

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Raises ServiceDown if the store does not answer inside the block."""
        try:
            yield
        except httpx.HTTPError as error:
            raise ServiceDown(f"the object store for apps does not answer: {error}", hint=_HINT) from error


def _require_good(status: int, text: str) -> None:
    if status >= _SERVER_ERROR:
        raise ServiceDown(f"the object store for apps does not answer: HTTP {status}", hint=_HINT)
    if status >= _REDIRECT:
        reason = next(iter(texts(text, "Code")), f"HTTP {status}")
        message = next(iter(texts(text, "Message")), "")
        raise StoreRefused(f"the object store for apps refuses: {reason} {message}".strip()[:300], reason)


def texts(xml: str, tag: str) -> list[str]:
    """Returns the texts of all elements with the name `tag`, in the order of the document."""
    return [html.unescape(found) for found in re.findall(rf"<{tag}>([^<]*)</{tag}>", xml)]
