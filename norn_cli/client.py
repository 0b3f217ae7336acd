"""The only requests: one method per endpoint, every refusal as an error of `errors`, streams as iterators.

Each mutation carries an idempotency key of its own, so a request whose answer got lost can be sent again.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from norn_cli.config import Profile
from norn_cli.errors import NotNorn, Refused, Unreachable, Usage
from norn_cli.sse import ServerEvent, events, lines

Json = dict[str, Any]

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
# Heartbeats come every 10 s: a stream that is silent for three of them is dead.
_HEARTBEAT_SECONDS = 30.0
_TRIES = 3
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class Client:
    """Speaks to one Norn server. `patience` bounds connecting and ordinary answers, in seconds."""

    def __init__(self, profile: Profile, *, patience: float | None = None) -> None:
        self.profile = profile
        self._connect = patience or _CONNECT_SECONDS
        self._read = patience or _READ_SECONDS
        headers = {"Accept": "application/json, application/problem+json", "User-Agent": "norn-cli"}
        if profile.token:
            headers["Authorization"] = f"Bearer {profile.token}"
        # A proxy from the environment is for the world outside, never for this machine. Loading the certificates of
        # the world takes 50 ms, which plain http (no redirect is followed) does not need.
        self._http = httpx.Client(
            base_url=profile.url,
            headers=headers,
            trust_env=not profile.loopback,
            verify=profile.url.startswith("https:"),
        )

    # Apps

    def apps(self, *, hidden: bool = False) -> Json:
        """Lists all apps; `hidden` adds those that say `deploy: false`."""
        return self._all("/api/apps", {"all": 1} if hidden else {})

    def app(self, app: str, *, fresh: bool = False) -> Json:
        """Reads one app; `fresh` has the server look at the cluster first."""
        return self._get(_app(app), {"fresh": 1} if fresh else {})

    def apply(self, app: str, spec: str) -> Json:
        """Puts an infraspec's text as the app's own."""
        return self._send("PUT", _app(app), content=spec.encode(), headers={"Content-Type": "text/yaml"})

    def remove(self, app: str) -> None:
        """Deletes an app's row."""
        self._send("DELETE", _app(app))

    def validate(self, spec: str, file: str) -> Json:
        """Has a spec checked without putting it anywhere."""
        return self._send("POST", "/api/validate", params={"file": file}, content=spec.encode(),
                          headers={"Content-Type": "text/yaml"})  # fmt: skip

    def work(self, app: str, verb: str, body: Json) -> Json:
        """Asks for forge, deploy, rollback, restart, scale or teardown; answers the accepted job."""
        return self._send("POST", _app(app, verb), json=body)

    def deployments(self, app: str, limit: int) -> Json:
        """Lists an app's deployments, newest first."""
        return self._get(_app(app, "deployments"), {"limit": limit})

    def releases(self, app: str, limit: int) -> Json:
        """Lists an app's releases, newest first."""
        return self._get(_app(app, "releases"), {"limit": limit})

    def app_logs(self, app: str, *, tail: int, follow: bool) -> Iterator[str]:
        """Reads an app's log line by line; with `follow` the stream stays open."""
        params = {"tail": tail, **({"follow": 1} if follow else {})}
        return self._lines(_app(app, "logs"), params, accept="text/plain")

    # Jobs

    def jobs(self, limit: int, **filters: str) -> Json:
        """Lists jobs, newest first; filters are app, kind, state and class."""
        return self._get("/api/jobs", {"limit": limit, **filters})

    def job(self, job: int) -> Json:
        """Reads one job with its steps."""
        return self._get(f"/api/jobs/{job}")

    def cancel_job(self, job: int) -> Json:
        """Asks a job to stop."""
        return self._send("POST", f"/api/jobs/{job}/cancel", json={})

    def job_events(self, job: int, after: str = "") -> Iterator[ServerEvent]:
        """Follows a job's events from after an id on."""
        return self._events(f"/api/jobs/{job}/events", {}, after)

    def job_log(self, job: int, *, step: str = "", follow: bool = False) -> Iterator[str]:
        """Reads what a job's steps wrote, line by line."""
        params = {**({"step": step} if step else {}), **({"follow": 1} if follow else {})}
        return self._lines(f"/api/jobs/{job}/logs", params, accept="text/plain")

    def job_log_pieces(self, job: int) -> Iterator[Json]:
        """Follows what a job's steps write as pieces with `step`, `seq` and `text`."""
        for line in self._lines(f"/api/jobs/{job}/logs", {"follow": 1}, accept="application/x-ndjson"):
            if line.strip():
                yield _object(line, self.profile.url)

    # Functions

    def invoke(self, app: str, *, params: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> Json:
        """Calls a function; waits as long as the server does, unless the headers say respond-async."""
        return self._send("POST", _app(app, "invoke"), params=params, content=body, headers=headers, patient=True)

    def calls(self, app: str, limit: int) -> Json:
        """Lists a function's calls, newest first."""
        return self._get(_app(app, "function/history"), {"limit": limit})

    def call(self, execution: int) -> Json:
        """Reads one call."""
        return self._get(f"/api/invocations/{execution}")

    def cancel_call(self, execution: int) -> None:
        """Asks a call to stop."""
        self._send("DELETE", f"/api/invocations/{execution}")

    def replay(self, execution: int, release: int | None) -> Json:
        """Makes a recorded call again."""
        return self._send("POST", f"/api/invocations/{execution}/replay", json={"release": release}, patient=True)

    # Cron

    def cron(self, app: str) -> Json:
        """Reads an app's schedule."""
        return self._get(_app(app, "cron"))

    def cron_next(self, app: str, count: int) -> Json:
        """Reads the next times of a schedule."""
        return self._get(_app(app, "cron/next"), {"n": count})

    def cron_history(self, app: str, limit: int) -> Json:
        """Lists what became of a schedule's occurrences, and the runs by hand, newest first."""
        return self._get(_app(app, "cron/history"), {"limit": limit})

    def cron_do(self, app: str, verb: str, body: Json) -> Json:
        """Asks for trigger, pause or resume."""
        return self._send("POST", _app(app, f"cron/{verb}"), json=body)

    def set_schedule(self, app: str, body: Json) -> Json:
        """Puts an override over the spec's schedule."""
        return self._send("PUT", _app(app, "cron/schedule"), json=body)

    def clear_schedule(self, app: str) -> Json:
        """Takes the override away again."""
        return self._send("DELETE", _app(app, "cron/schedule"))

    def cron_execution(self, app: str, execution: int) -> Json:
        """Reads one run with its output."""
        return self._get(_app(app, f"cron/executions/{execution}"))

    # The server

    def health(self) -> Json:
        """Reads the server's health; a server that is down tells so in the same shape."""
        response = self._exchange("GET", "/api/health")
        if response.status_code == 503 and "problem" not in response.headers.get("content-type", ""):
            return _object(response.text, self.profile.url)
        return self._answer(response)

    def version(self) -> Json:
        """Reads the server's version."""
        return self._get("/api/version")

    def workers(self) -> Json:
        """Lists the workers."""
        return self._get("/api/workers")

    def tokens(self) -> Json:
        """Lists the tokens, without their secrets."""
        return self._all("/api/tokens", {})

    def create_token(self, body: Json) -> Json:
        """Makes a token; this answer is the only one that shows it."""
        return self._send("POST", "/api/tokens", json=body)

    def revoke_token(self, token: int) -> None:
        """Revokes a token."""
        self._send("DELETE", f"/api/tokens/{token}")

    def events(self, limit: int, **filters: str) -> Json:
        """Lists events; filters are app and job."""
        return self._get("/api/events", {"limit": limit, **filters})

    def follow_events(self, app: str, after: str = "") -> Iterator[ServerEvent]:
        """Follows events, of one app or of all, from after an id on, else from now on."""
        return self._events("/api/events/stream", {"app": app} if app else {}, after)

    # How

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
                # Only a connection that broke on the way leaves open whether it was asked; the key makes again safe.
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
            yield ServerEvent()  # the stream stands: what happens from now on is seen
            yield from events(lines(response.iter_bytes()))

    def _lines(self, path: str, params: Mapping[str, Any], *, accept: str) -> Iterator[str]:
        with self._open(path, params, {"Accept": f"{accept}, application/problem+json"}, read=None) as response:
            yield from lines(response.iter_bytes())

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
            return _object(response.text, self.profile.url)
        if "json" in response.headers.get("content-type", ""):
            raise Refused(response.status_code, _object(response.text, self.profile.url))
        raise NotNorn(
            f"{self.profile.url} answered {response.status_code} without a problem that norn can read",
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
            raise Unreachable(f"cannot reach {url}: {_reason(error)}", hint=self._way_out()) from error
        except httpx.RequestError as error:
            raise Unreachable(f"{url} stopped answering: {_reason(error)}", hint="norn health") from error

    def _way_out(self) -> str:
        other = "NORN_URL or --url names another server"
        return f"norn up starts a server here; {other}" if self.profile.loopback else other


def _app(app: str, under: str = "") -> str:
    return f"/api/apps/{quote(app, safe='')}" + (f"/{under}" if under else "")


def _object(text: str, url: str) -> Json:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotNorn(f"{url} answered something that is not a Norn server's", hint="NORN_URL or --url names another")
    return answer


def _reason(error: Exception) -> str:
    words = str(error).removeprefix("[Errno 111] ").lower()
    return words or type(error).__name__
