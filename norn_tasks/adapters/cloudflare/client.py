"""The client of Cloudflare's HTTP API v4. It sends requests, reads results page by page, and turns refusals into Norn's
errors.

A request that only reads is repeated while Cloudflare does not answer. After the status 429 any request is repeated,
because Cloudflare did not carry it out. A change that gets no answer may have been carried out. In that case the client
raises Unanswered, and the caller reads the current state before it writes again. No error message contains the API
token.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from typing import Any, Final

import httpx

from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.secret import Secret

API: Final = "https://api.cloudflare.com/client/v4"
RIGHTS: Final = "the token needs Cloudflare Tunnel: Edit of the account, and DNS: Edit and Zone: Read of the zone"
_TOKEN = "NORN_CLOUDFLARE_API_TOKEN: has it expired, or was it revoked?"  # noqa: S105 - the name of a setting
_AWAY = "https://www.cloudflarestatus.com says whether it is down; norn forge does the rest later"
_PAGE = 50
TIMEOUT: Final = httpx.Timeout(connect=1.5, write=1.5, read=4.0, pool=0.5)
"""The time limits of one request, one for each part; the TLS handshake after the connect may take `connect` seconds
more.

Only the job that has the tunnel's turn (a lock in the database) may send changes. The limits add up to less than the
time after which the database ends an idle turn. So no request can arrive after its job has lost the turn, and overwrite
the change of the next job.
"""
_PATIENCE = 60.0
"""The most seconds that one request may take, including all its repetitions."""
_FIRST_PAUSE = 0.25
_LONGEST = 300
Query = Mapping[str, str | int]


class Unanswered(TunnelFailed):
    """Raised when a request got no answer, or an answer that does not show whether Cloudflare carried it out."""


class CloudflareRefused(TunnelFailed):
    """Raised when Cloudflare refused a request; `status` is the HTTP status of the answer, and `codes` are the error
    codes in it.
    """

    def __init__(self, sentence: str, *, status: int, codes: frozenset[int], hint: str = "") -> None:
        super().__init__(sentence, hint=hint)
        self.http_status, self.codes = status, codes


class CloudflareClient:
    """Sends requests with one API token. The argument `what` of its methods describes a request in messages, such as
    `read the tunnel`.
    """

    def __init__(self, token: Secret, url: str = API) -> None:
        self._token, self._url = token, url.rstrip("/")

    def get(self, path: str, what: str, waiting: Waiting, query: Query | None = None) -> Any:
        """Returns the result of a read."""
        return self._send("GET", path, what, waiting, query=query)["result"]

    def change(self, method: str, path: str, what: str, waiting: Waiting, body: object = None) -> Any:
        """Sends a change and returns its result; raises Unanswered when the change may or may not have been made."""
        return self._send(method, path, what, waiting, body=body)["result"]

    def pages(self, path: str, what: str, waiting: Waiting, query: Query | None = None) -> Iterator[Any]:
        """Yields the items of all pages."""
        page, count = 1, 1
        while page <= count:
            answer = self._send("GET", path, what, waiting, query={**(query or {}), "page": page, "per_page": _PAGE})
            yield from answer["result"] or ()
            count = int((answer.get("result_info") or {}).get("total_pages") or 1)
            page += 1

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        waiting: Waiting,
        *,
        query: Query | None = None,
        body: object = None,
    ) -> Any:
        end, pause = time.monotonic() + _PATIENCE, _FIRST_PAUSE
        while True:
            waiting.check()
            try:
                return _envelope(self._once(method, path, query, body), what)
            except _Busy as busy:
                wait, error = busy.pause if busy.pause is not None else pause, busy.error
            except Unanswered as unanswered:
                if method != "GET":
                    raise
                wait, error = pause, unanswered
            if time.monotonic() + wait > end:
                raise error
            waiting.pause(wait)
            pause *= 2

    def _once(self, method: str, path: str, query: Query | None, body: object) -> httpx.Response:
        try:
            return self._http.request(method, f"{self._url}{path}", params=dict(query or {}), json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            sentence = f"Cloudflare does not answer: {str(error) or type(error).__name__}"
            raise Unanswered(sentence, hint=_AWAY) from error

    @cached_property
    def _http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "User-Agent": "norn"}
        return httpx.Client(timeout=TIMEOUT, headers=headers, follow_redirects=False, verify=_trust())


@cache
def _trust() -> ssl.SSLContext:
    """Returns a TLS context with the certificates that this machine trusts. They are read only once, because reading
    takes longer than a request.
    """
    return ssl.create_default_context()


class _Busy(Exception):
    """Cloudflare asks the client to wait; `error` is raised if the wait would be too long."""

    def __init__(self, pause: float | None) -> None:
        super().__init__()
        self.pause = pause
        asked = f" for {pause:.0f} s" if pause is not None else ""
        self.error = TunnelFailed(
            f"Cloudflare asks to wait{asked}: too many requests were sent with this token",
            hint="wait, then run norn forge again",
        )


def _envelope(response: httpx.Response, what: str) -> Any:
    """Returns the parsed answer to a request that was carried out; raises _Busy, Unanswered or CloudflareRefused for
    any other response.
    """
    if response.status_code == 429:
        raise _Busy(_pause_of(response))
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.status_code >= 500 or not isinstance(answer, dict) or "success" not in answer:
        said = "" if response.status_code < 500 else f": {response.status_code} {response.reason_phrase}".rstrip()
        raise Unanswered(f"Cloudflare could not {what}{said}", hint=_AWAY)
    if response.status_code >= 400 or not answer["success"]:
        raise _refused(response.status_code, answer, what)
    return answer


def _refused(status: int, answer: Mapping[str, Any], what: str) -> CloudflareRefused:
    errors = answer.get("errors") or []
    chain = [*errors, *(inner for error in errors for inner in error.get("error_chain") or [])]
    codes = frozenset(int(error["code"]) for error in chain if str(error.get("code", "")).isdigit())
    said = "; ".join(str(error.get("message", "")) for error in chain)[:_LONGEST] or f"{status}"
    if status == 401 or codes & {6003} or "invalid access token" in said.lower():
        return CloudflareRefused(
            f"Cloudflare does not accept the API token: {said}", status=status, codes=codes, hint=_TOKEN
        )
    if status == 403:
        return CloudflareRefused(
            f"the API token may not {what}: {said}", status=status, codes=codes, hint=RIGHTS
        )  # fmt: skip
    return CloudflareRefused(f"Cloudflare refused to {what}: {said}", status=status, codes=codes, hint="norn doctor")


def _pause_of(response: httpx.Response) -> float | None:
    """Returns the seconds that the header Retry-After (a number or a date) asks the client to wait; None if it is
    neither.
    """
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    with suppress(ValueError):
        moment = parsedate_to_datetime(asked)
        return max(0.0, (moment - datetime.now(tz=moment.tzinfo or UTC)).total_seconds())
    return None
