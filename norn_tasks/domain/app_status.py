"""What an app's status is made of: what a look at the cluster saw, and the one word that sums an app up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ForgeState(StrEnum):
    """How an app's infrastructure stands."""

    UNFORGED = "unforged"
    FORGING = "forging"
    FORGED = "forged"
    FORGE_FAILED = "forge_failed"
    TEARING_DOWN = "tearing_down"


@dataclass(frozen=True)
class ReplicaStatus:
    """One replica as the cluster tells it: `state` is the cluster's word (running, exited, restarting, …)."""

    name: str
    state: str
    release: int
    restarts: int = 0
    healthy: bool | None = None
    message: str = ""


@dataclass(frozen=True)
class WorkloadStatus:
    """What a look at the cluster saw of one app's long-running containers.

    `present`: the generations of those that are meant to serve and run, or are being restarted by the cluster itself.
    """

    app: str
    wanted: int
    ready: int
    replicas: tuple[ReplicaStatus, ...] = ()
    message: str = ""
    present: tuple[int, ...] = ()


def state_word(
    *,
    role: str,
    broken: bool,
    forge: ForgeState,
    live: bool,
    wanted: int,
    ready: int,
    paused: bool = False,
    off: bool = False,
) -> str:
    """Answers the one word for an app: the first of these that is true, told from the ground up."""
    if broken:
        return "broken"
    if forge is not ForgeState.FORGED:
        return str(forge)
    if not live:
        return "never deployed"
    if role == "cron":
        return "paused" if paused else "off" if off else "scheduled"
    if role == "function":
        return "ready"
    if wanted == 0:
        return "stopped"
    if ready >= wanted:
        return "running"
    return "degraded" if ready else "down"


# What helps where the state itself says what is missing.
_WAYS_ON = {
    "broken": "norn validate",
    "unforged": "norn forge {app}",
    "forge_failed": "norn forge {app}",
    "never deployed": "norn deploy {app}",
    "stopped": "norn scale {app} --reset",
    "paused": "norn cron resume {app}",
    "degraded": "norn logs {app}",
    "down": "norn logs {app}",
}


def way_on(app: str, state: str) -> str:
    """Answers what to do about an app in that state; nothing when it is as it should be."""
    return _WAYS_ON.get(state, "").format(app=app)
