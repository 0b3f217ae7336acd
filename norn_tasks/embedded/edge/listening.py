"""The edge's sockets for http, https and QUIC, which are opened before the process drops its rights."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from norn_tasks.domain.errors import Unavailable

BACKLOG = 1024
_ELSEWHERE = "NORN_EDGE_HTTP_PORT and NORN_EDGE_HTTPS_PORT name other ports, to which a forward may lead"


@dataclass(frozen=True)
class EdgeSockets:
    """The three sockets. The process that restarts Caddy keeps them open, so that no connection is refused in
    between.
    """

    http: socket.socket
    https: socket.socket
    quic: socket.socket

    @property
    def files(self) -> tuple[int, int, int]:
        """The file descriptors of the sockets."""
        return self.http.fileno(), self.https.fileno(), self.quic.fileno()

    def close(self) -> None:
        """Closes the three sockets."""
        for each in (self.http, self.https, self.quic):
            each.close()


def open_sockets(http: int, https: int) -> EdgeSockets:
    """Opens the sockets on all addresses of this machine; raises Unavailable with the port that cannot be opened."""
    opened: list[socket.socket] = []
    try:
        for number, kind in ((http, socket.SOCK_STREAM), (https, socket.SOCK_STREAM), (https, socket.SOCK_DGRAM)):
            opened.append(_opened(number, kind))
    except Unavailable:
        for each in opened:
            each.close()
        raise
    return EdgeSockets(*opened)


def _opened(number: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", number))
        if kind == socket.SOCK_STREAM:
            made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise refused(number, kind, error) from error
    return made


def refused(number: int, kind: socket.SocketKind, error: OSError) -> Unavailable:
    """Returns the error that says why a port cannot be opened, and what the operator can do."""
    port = f"port {number}" if kind == socket.SOCK_STREAM else f"port {number} (UDP)"
    if error.errno == errno.EACCES:
        sentence = f"the edge may not open {port} as an ordinary user"
        hint = f"as root: sysctl -w net.ipv4.ip_unprivileged_port_start={number}; or {_ELSEWHERE}"
    elif error.errno == errno.EADDRINUSE:
        sentence = f"the edge cannot open {port}: another program has it"
        hint = f"end that program (ss -lntup 'sport = :{number}' names it); or {_ELSEWHERE}"
    else:
        sentence, hint = f"the edge cannot open {port}: {os.strerror(error.errno or 0)}", _ELSEWHERE
    return Unavailable(sentence, hint=hint)
