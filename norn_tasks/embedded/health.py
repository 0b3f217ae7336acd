"""Norn's own word on how it is, asked of the API just started."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from norn_tasks.settings import Settings

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what to call instead
"""An address that means all of them, and the one to call."""


@dataclass(frozen=True)
class Check:
    """One line of `/api/health`."""

    name: str
    status: str
    message: str
    hint: str


def url(settings: Settings) -> str:
    """Answers where a browser on this machine finds Norn."""
    host = ANYWHERE.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def ask(settings: Settings) -> tuple[Check, ...] | None:
    """Answers the checks of `/api/health`; None while the API does not answer."""
    host = ANYWHERE.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/api/health")
        rows = json.loads(connection.getresponse().read())["checks"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()
    words = ("name", "status", "message", "hint")
    return tuple(Check(*(row.get(word) or "" for word in words)) for row in rows)


def working(settings: Settings) -> bool:
    """Answers whether every process that `norn up` starts has reported, going by Norn's own word."""
    checks = ask(settings) or ()
    ours = [check for check in checks if check.name.partition(":")[0] in ("worker", "beat", "router")]
    return bool(ours) and all(check.status != "fail" for check in ours)
