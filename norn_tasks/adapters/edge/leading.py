"""Checks whether a public host name leads to this server. Each of the name's first four addresses must return this
server's sign: a text that Norn serves at all of its public names.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from norn_tasks.domain.tunnel.leading import PATH

SECONDS, ANSWER_SECONDS = 5.0, 10.0
"""The most seconds to wait for the next data of an answer, and the most seconds for a complete answer."""
ADDRESSES_MAX = 4
_SIGN_BYTES = 64

ResolveName = Callable[[str], Sequence[str]]
"""Returns the addresses of a name; raises OSError."""


@dataclass(frozen=True)
class LeadsWhere:
    """The result for a name: `fault` says why the name does not lead to this server; `sure` is False if the only fault
    is that an address did not answer.
    """

    fault: str = ""
    sure: bool = True


def addresses_of(host: str) -> Sequence[str]:
    """Returns the addresses of a name; raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def leads_where(
    host: str, sign: str, ports: Sequence[int], resolve: ResolveName = addresses_of, *, within: float = ANSWER_SECONDS
) -> LeadsWhere:
    """Finds out to which server a name leads: each address of the name is asked, on the first of `ports` that can be
    reached.
    """
    try:
        addresses = resolve(host)[:ADDRESSES_MAX]
    except OSError:
        return LeadsWhere(f"the name {host} has no address yet: point it at this server in its DNS")
    if not addresses:
        return LeadsWhere(f"the name {host} has no address yet: point it at this server in its DNS")
    answers = {address: _sign_at(address, ports, host, within) for address in addresses}
    elsewhere = [address for address, found in answers.items() if found not in (sign, None)]
    silent = [address for address, found in answers.items() if found is None]
    if elsewhere:
        return LeadsWhere(f"{host} leads to {', '.join(elsewhere)}, which is another server: correct its DNS")
    if silent:
        where = ", ".join(silent)
        return LeadsWhere(f"{host} leads to {where}, which this server cannot reach on port {ports[0]}", sure=False)
    return LeadsWhere()


def _sign_at(address: str, ports: Sequence[int], host: str, within: float) -> str | None:
    """Returns the sign at an address: "" if the address returns something else, None if it does not answer."""
    for port in ports:
        connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
        cut = threading.Timer(within, lambda: None)
        try:
            connection.connect()
            cut = threading.Timer(within, _end, (connection.sock,))
            cut.start()
            connection.request("GET", PATH, headers={"Host": host})
            answer = connection.getresponse()
            return answer.read(_SIGN_BYTES).decode("latin-1").strip() if answer.status == http.client.OK else ""
        except http.client.HTTPException:
            return ""
        except OSError:
            continue
        finally:
            cut.cancel()
            connection.close()
    return None


def _end(connected: socket.socket) -> None:
    """Closes a connection when its answer takes too long. The socket's own timeout starts again with every byte that
    arrives.
    """
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
