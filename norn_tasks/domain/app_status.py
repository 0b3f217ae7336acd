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
    """What a look at the cluster saw of one app's long-running containers."""

    app: str
    wanted: int
    ready: int
    replicas: tuple[ReplicaStatus, ...] = ()
    message: str = ""


def state_word(
    *, role: str, broken: bool, forge: ForgeState, live: bool, wanted: int, ready: int, paused: bool = False
) -> str:
    """Answers the one word for an app: the first of these that is true, told from the ground up."""
    if broken:
        return "broken"
    if forge is not ForgeState.FORGED:
        return str(forge)
    if not live:
        return "never deployed"
    if role == "cron":
        return "paused" if paused else "scheduled"
    if role == "function":
        return "ready"
    if wanted == 0:
        return "stopped"
    if ready >= wanted:
        return "running"
    return "degraded" if ready else "down"
