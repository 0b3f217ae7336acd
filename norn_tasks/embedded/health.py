"""Reads the health checks of a running API."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from norn_tasks.settings import Settings

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what to call instead
"""The addresses that mean "all interfaces", each with the address to call instead."""


@dataclass(frozen=True)
class CheckLine:
    """One line of `/api/health`."""

    name: str
    status: str
    message: str
    hint: str


def url(settings: Settings) -> str:
    """Returns the URL at which this machine reaches Norn."""
    host = ANYWHERE.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def ask(settings: Settings) -> tuple[CheckLine, ...] | None:
    """Returns the checks of `/api/health`; None while the API does not respond."""
    host = ANYWHERE.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/api/health", headers=_token(settings))
        rows = json.loads(connection.getresponse().read())["checks"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()
    words = ("name", "status", "message", "hint")
    return tuple(CheckLine(*(row.get(word) or "" for word in words)) for row in rows)


def _token(settings: Settings) -> dict[str, str]:
    """Returns the header with the first token, because the API returns the sentences of the checks only to a token."""
    try:
        return {"Authorization": f"Bearer {(settings.data_dir / 'token').read_text().strip()}"}
    except OSError:
        return {}


def working(settings: Settings) -> bool:
    """Returns True if the health checks name workers, beat or the router, and none of these checks has failed."""
    checks = ask(settings) or ()
    ours = [check for check in checks if check.name.partition(":")[0] in ("worker", "beat", "router")]
    return bool(ours) and all(check.status != "fail" for check in ours)
