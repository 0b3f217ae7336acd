"""Tries to connect to the ports of a replica, to find which of them accept connections, and whether a port
speaks TLS.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from norn_tasks.domain.causes import OpenSocket

USUAL = (80, 443, 1313, 3000, 3001, 4000, 4173, 4200, 4321, 5000, 5173, 8000, 8001, 8080, 8081, 8443, 8888, 9000, 9090)
"""Ports on which servers listen by default."""

_PORT = re.compile(r"(?<![\d.])(\d{2,5})(?![\d.])")
_TRY = 0.3


def accepting(ip: str, found: dict[str, Any], lines: Iterable[str], port: int | None) -> tuple[OpenSocket, ...] | None:
    """Returns the likely ports that accept connections. Returns None if there are none, because the program may listen
    on a port that was not tried.
    """
    exposed = {int(each.partition("/")[0]) for each in found["Config"].get("ExposedPorts") or {}}
    named = {int(each) for line in lines for each in _PORT.findall(line) if int(each) < 65_536}
    likely = sorted({*USUAL, *exposed, *named} - {port})
    with ThreadPoolExecutor(16) as pool:
        open_ = [
            each
            for each, accepts in zip(likely, pool.map(lambda each: _accepts(ip, each), likely), strict=True)
            if accepts
        ]
    return tuple(OpenSocket("", each) for each in open_) or None


def _accepts(ip: str, port: int) -> bool:
    try:
        with socket.create_connection((ip, port), timeout=_TRY):
            return True
    except OSError:
        return False


def speaks_tls(ip: str, port: int | None) -> bool:
    """Returns True if the port answers a TLS handshake. The certificate is not verified, because no data is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((ip, port or 0), timeout=1) as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:
        # A TLS alert is also an answer in TLS. WRONG_VERSION_NUMBER means that the answer was in another protocol.
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
