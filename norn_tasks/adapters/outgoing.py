"""One request to a machine outside, held to the rules of security.md 13.

https; the host is resolved here, once, and connected to as resolved, so that a name cannot mean another machine a
moment later; addresses that are not of the public internet are refused unless an operator allows them; no redirect is
followed; all of it within one time limit, however slowly the other side answers. Only the status is read.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as NotYetDone
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import h11

from norn_tasks.adapters import patience
from norn_tasks.domain.addresses import public

_PORTS = {"https": 443, "http": 80}


class NotReached(Exception):
    """Nobody answered; the text says why, in a sentence."""


@dataclass(frozen=True)
class Outgoing:
    """Sends requests. `private`: also to addresses that are not public, and there without TLS. `limit` in seconds."""

    private: bool = False
    limit: float = 10.0

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """Sends a POST and answers the status; raises NotReached."""
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
        except (OSError, h11.RemoteProtocolError) as error:
            raise NotReached(f"{parts.hostname} could not be reached: {_reason(error)}") from error

    def _connected(self, parts: SplitResult, end: float) -> socket.socket:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = self._address(host, port, end)
        connection = socket.create_connection((address, port), _left(end))
        if parts.scheme == "http":
            return connection
        try:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def _address(self, host: str, port: int, end: float) -> str:
        """Answers where the host is, asked once; every answer must be allowed, so that none can be chosen by luck."""
        found = patience.begin(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        try:
            addresses = [str(each[4][0]) for each in found.result(_left(end))]
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
        return addresses[0]


def _exchange(
    connection: socket.socket, parts: SplitResult, content: bytes, headers: Mapping[str, str], end: float
) -> int:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = {
        "Host": parts.netloc, "User-Agent": "norn", "Accept": "*/*", "Content-Length": str(len(content)),
        "Connection": "close",
    }  # fmt: skip
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
    request = h11.Request(method="POST", target=target, headers=list({**own, **headers}.items()))
    parcels = [client.send(request), client.send(h11.Data(data=content)), client.send(h11.EndOfMessage())]
    connection.settimeout(_left(end))
    connection.sendall(b"".join(parcel or b"" for parcel in parcels))
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            connection.settimeout(_left(end))
            client.receive_data(connection.recv(16 * 1024))


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
