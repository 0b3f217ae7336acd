"""Sends an HTTP request to a server outside, under the rules of section 13 of docs/security.md.

The request must use https. The host name is resolved once, and the connection goes to that address, so that the name
cannot lead to another machine a moment later. Addresses outside the public internet, and http, are refused unless an
operator allows them. No redirect is followed. One timeout covers everything. Only the status of a response is read; for
a refusal, also its `Retry-After` and the beginning of its body.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as NotYetDone
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import h11

from norn_tasks.adapters import timeouts
from norn_tasks.domain.addresses import Resolve, public

_PORTS = {"https": 443, "http": 80}
_REFUSED = 400
_SAID = 1024
"""The most bytes of the body of a refusal that are returned."""
_READ = ("application/json", "application/problem+json", "text/plain")


class NotReached(Exception):
    """Raised when the request got no response; the text is a sentence that says why."""


@dataclass(frozen=True)
class PostAnswer:
    """The response to a request."""

    status: int
    """The HTTP status."""
    said: str = ""
    """The beginning of the body of a refusal, if the body is text."""
    pause: float | None = None
    """The seconds for which a refusal asks the sender to wait (Retry-After)."""


@dataclass(frozen=True)
class Outgoing:
    """Sends requests, within `limit` seconds each. `private` also allows addresses that are not public, and http."""

    private: bool = False
    limit: float = 10.0
    resolve: Resolve = socket.getaddrinfo

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """Sends a POST and returns the answer; raises NotReached."""
        parts, end = urlsplit(url), time.monotonic() + self.limit
        if parts.scheme not in (("https", "http") if self.private else ("https",)):
            raise NotReached(f"{parts.scheme or 'this'} is not https")
        try:
            with self._connected(parts, end) as connection:
                return _exchange(connection, parts, content, headers, end)
        except TimeoutError as error:
            raise NotReached(f"{parts.hostname} did not answer within {self.limit:g} s") from error
        except ssl.SSLCertVerificationError as error:
            raise NotReached(f"the certificate of {parts.hostname} is not good: {error.verify_message}") from error
        except (OSError, h11.ProtocolError) as error:
            raise NotReached(f"{parts.hostname} could not be reached: {reason(error).lower()}") from error

    def _connected(self, parts: SplitResult, end: float) -> socket.socket:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        connection = self.reach(host, port, end)
        if parts.scheme == "http":
            return connection
        try:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def reach(self, host: str, port: int, end: float) -> socket.socket:
        """Connects to an allowed address of the host before the time `end`; raises NotReached or OSError."""
        return socket.create_connection((self._address(host, port, end), port), seconds_left(end))

    def _address(self, host: str, port: int, end: float) -> str:
        """Resolves the host name once, and returns its first address; raises NotReached unless all its addresses are
        allowed.
        """
        found = timeouts.begin(lambda: self.resolve(host, port, type=socket.SOCK_STREAM))
        try:
            addresses = [str(each[4][0]) for each in found.result(seconds_left(end))]
        except NotYetDone as error:
            raise TimeoutError from error
        except (OSError, UnicodeError) as error:
            raise NotReached(f"the host {host} is not known") from error
        refused = next((each for each in addresses if not self.private and not public(each)), None)
        if refused is not None:
            raise NotReached(
                f"{host} is at {refused}, which is not an address of the public internet; "
                "an operator may allow it: NORN_OUTGOING_PRIVATE=true"
            )
        if not addresses:
            raise NotReached(f"the host {host} has no address")
        return addresses[0]


def _exchange(
    connection: socket.socket, parts: SplitResult, content: bytes, headers: Mapping[str, str], end: float
) -> PostAnswer:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = {
        "Host": parts.netloc, "User-Agent": "norn", "Accept": "*/*", "Content-Length": str(len(content)),
        "Connection": "close",
    }  # fmt: skip
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
    request = h11.Request(method="POST", target=target, headers=list({**own, **headers}.items()))
    parcels = [client.send(request), client.send(h11.Data(data=content)), client.send(h11.EndOfMessage())]
    connection.settimeout(seconds_left(end))
    connection.sendall(b"".join(parcel or b"" for parcel in parcels))
    response = _next(client, connection, end)
    while isinstance(response, h11.InformationalResponse):
        response = _next(client, connection, end)
    if not isinstance(response, h11.Response):
        raise h11.RemoteProtocolError("it closed the connection")
    if response.status_code < _REFUSED:
        return PostAnswer(response.status_code)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
    pause = _pause(headers.get("retry-after", ""))
    return PostAnswer(response.status_code, _said(client, connection, end, headers), pause)


def _next(client: h11.Connection, connection: socket.socket, end: float) -> object:
    while (event := client.next_event()) is h11.NEED_DATA:
        connection.settimeout(seconds_left(end))
        client.receive_data(connection.recv(16 * 1024))
    return event


def _said(client: h11.Connection, connection: socket.socket, end: float, headers: Mapping[str, str]) -> str:
    """Returns the beginning of a body of text or JSON; empty for an HTML page, because its beginning does not help."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in _READ:
        return ""
    body = b""
    # The status is returned even if the body never arrives.
    with suppress(OSError, h11.ProtocolError):
        while len(body) < _SAID and isinstance(data := _next(client, connection, end), h11.Data):
            body += data.data
    return body[:_SAID].decode("utf-8", "ignore")


def _pause(text: str) -> float | None:
    """Returns the seconds that the header Retry-After (a number or a date) asks the sender to wait; None if it is
    neither.
    """
    try:
        pause = float(text)
    except ValueError:
        try:
            pause = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, pause) if math.isfinite(pause) else None


def seconds_left(end: float) -> float:
    """Returns the seconds until the time `end`; raises TimeoutError if that time has passed."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def reason(error: Exception) -> str:
    """Returns why a connection failed."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
