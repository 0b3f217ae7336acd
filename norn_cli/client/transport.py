"""Sends requests and reads responses: retries, timeouts, streams, and an error for each refusal."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from norn_cli.answers import Json
from norn_cli.config import Profile
from norn_cli.errors import NotNorn, Refused, Unreachable, Usage
from norn_cli.sse import ServerEvent, events, lines

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
# Heartbeats arrive every 10 s, so a stream that is silent for three of them is dead.
_HEARTBEAT_SECONDS = 30.0
_TRIES = 3
"""How many times a request is sent, at most, if its response is lost."""
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class Transport:
    """The HTTP client of one Norn server. `patience` is the timeout, in seconds, for connecting and for most
    responses.
    """

    def __init__(self, profile: Profile, *, patience: float | None = None) -> None:
        self.profile = profile
        self._connect = patience or _CONNECT_SECONDS
        self._read = patience or _READ_SECONDS
        headers = {"Accept": "application/json, application/problem+json", "User-Agent": "norn-cli"}
        if profile.token:
            headers["Authorization"] = f"Bearer {profile.token}"
        # A proxy from the environment is never used for a server on this machine. Loading the CA certificates takes
        # 50 ms, and plain http does not need them, because no redirect is followed.
        self._http = httpx.Client(
            base_url=profile.url,
            headers=headers,
            trust_env=not profile.loopback,
            verify=profile.url.startswith("https:"),
        )

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        return self._answer(self._exchange("GET", path, params=params or {}))

    def _all(self, path: str, params: Mapping[str, Any]) -> Json:
        answer = self._get(path, params)
        while answer.get("next") is not None:
            further = self._get(path, {**params, "after": answer["next"]})
            answer = {**further, "items": [*answer["items"], *further["items"]]}
        return answer

    def _send(self, method: str, path: str, *, patient: bool = False, **request: Any) -> Json:
        headers = {"Idempotency-Key": secrets.token_hex(16), **request.pop("headers", {})}
        read = None if patient else self._read
        for attempt in range(1, _TRIES + 1):
            try:
                return self._answer(self._exchange(method, path, headers=headers, read=read, **request))
            except Unreachable as error:
                # After a broken connection, nobody knows whether the request arrived. The Idempotency-Key makes a retry
                # safe.
                if attempt == _TRIES or not isinstance(error.__cause__, _BROKEN):
                    raise
                time.sleep(0.3 * attempt)
        raise AssertionError("the last attempt returns or raises")

    def _exchange(self, method: str, path: str, *, read: float | None = -1, **request: Any) -> httpx.Response:
        limit = httpx.Timeout(self._connect, read=self._read if read == -1 else read)
        with self._translated():
            return self._http.request(method, path, timeout=limit, **request)

    def _events(self, path: str, params: Mapping[str, Any], after: str) -> Iterator[ServerEvent]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": after} if after else {})}
        with self._open(path, params, headers, read=_HEARTBEAT_SECONDS) as response:
            yield ServerEvent()  # the stream is open, so events from now on will arrive
            yield from events(lines(response.iter_bytes()))

    def _lines(self, path: str, params: Mapping[str, Any], *, accept: str, beating: bool = False) -> Iterator[str]:
        read = _HEARTBEAT_SECONDS if beating else None
        with self._open(path, params, {"Accept": f"{accept}, application/problem+json"}, read=read) as response:
            yield from lines(response.iter_bytes())

    def _objects(self, path: str, params: Mapping[str, Any], *, beating: bool = False) -> Iterator[Json]:
        for line in self._lines(path, params, accept="application/x-ndjson", beating=beating):
            if line.strip():
                yield read_object(line, self.profile.url)

    @contextmanager
    def _open(
        self, path: str, params: Mapping[str, Any], headers: Mapping[str, str], *, read: float | None
    ) -> Iterator[httpx.Response]:
        limit = httpx.Timeout(self._connect, read=read)
        with (
            self._translated(),
            self._http.stream("GET", path, params=params, headers=headers, timeout=limit) as response,
        ):
            if response.is_error:
                response.read()
                self._answer(response)
            yield response

    def _answer(self, response: httpx.Response) -> Json:
        if response.status_code == 204:
            return {}
        if response.is_success:
            return read_object(response.text, self.profile.url)
        if "json" in response.headers.get("content-type", ""):
            raise Refused(response.status_code, read_object(response.text, self.profile.url))
        raise NotNorn(
            f"{self.profile.url} answered {response.status_code} without an error message that norn can read",
            hint="is that the URL of a Norn server? NORN_URL or --url names another",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        url = self.profile.url
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Usage(f"{url} is not the URL of a server", hint="NORN_URL or --url names one") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"cannot reach {url}: {_reason(error)}", hint=self._connection_hint()) from error
        except httpx.RequestError as error:
            raise Unreachable(f"{url} stopped answering: {_reason(error)}", hint="norn health") from error

    def _connection_hint(self) -> str:
        here = "norn up starts a server here, docker-compose up -d one in containers; " if self.profile.loopback else ""
        return f"{here}NORN_URL or --url names another server"


def app_path(app: str, under: str = "") -> str:
    return f"/api/apps/{quote(app, safe='')}" + (f"/{under}" if under else "")


def read_object(text: str, url: str) -> Json:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotNorn(
            f"{url} answered something that does not come from a Norn server", hint="NORN_URL or --url names another"
        )
    return answer


def _reason(error: Exception) -> str:
    words = str(error).removeprefix("[Errno 111] ").lower()
    return words or type(error).__name__
