"""Ranks the trouble of an app, for the order of lists and for a filter."""

from __future__ import annotations

from norn_cli.answers import Json

_WELL = frozenset(
    {"running", "ready", "scheduled", "stopped", "paused", "off", "never deployed", "unforged", "forging"}
)
_HALF = frozenset({"degraded", "tearing_down", "unhealthy"})


def last_deploy_failed(app: Json) -> bool:
    """Returns True if the app's last deploy failed, even if an earlier release is live."""
    return (app.get("last_deployment") or {}).get("state") in ("failed", "needs_attention")


def trouble_of(app: Json) -> int:
    """Returns the rank of an app's trouble: 0 for none, a higher number for worse trouble."""
    state = app.get("state")
    if state not in _WELL and state not in _HALF:
        return 3
    if state in _HALF:
        return 2
    return 1 if last_deploy_failed(app) or app.get("alerts") else 0
