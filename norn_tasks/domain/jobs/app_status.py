"""The status of an app: the states of its infrastructure and replicas, and one state that sums them up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from norn_tasks.domain.alerting.alert import AlertKind
from norn_tasks.domain.jobs.replica import ReplicaEnd, ReplicaSighting

NOT_READY = "not ready"
"""The state of a replica that has served before, and now gets no requests because it fails its health check."""
DRAINING = "draining"
"""The state of a replica that was replaced, and keeps running until its open connections have ended."""


class ForgeState(StrEnum):
    """The state of an app's infrastructure."""

    UNFORGED = "unforged"
    FORGING = "forging"
    FORGED = "forged"
    FORGE_FAILED = "forge_failed"
    TEARING_DOWN = "tearing_down"


@dataclass(frozen=True)
class ReplicaUsage:
    """The processor time and the memory of one replica, as its engine measured them."""

    container: str
    """The container that was measured."""
    at: float
    """The time of the measurement, in seconds since 1970."""
    cpu_seconds: float
    """The processor time that its program has used since its start."""
    memory: int
    """The bytes of memory that it uses, without cached files that the kernel may drop at any time."""
    memory_limit: int | None = None
    """Its memory limit in bytes; None if it has no limit."""
    cpus: float | None = None
    """How many processors it used on average since the previous measurement; None for the first measurement."""
    written: int | None = None
    """The bytes that it has written outside of its volumes; None if that was not measured."""


@dataclass(frozen=True)
class ReplicaStatus:
    """A replica as its cluster reports it."""

    name: str
    """The name of its container."""
    state: str
    """The state that the cluster reports: running, exited, restarting and the like."""
    release: int
    """The release that it runs."""
    restarts: int = 0
    """How often the cluster has restarted it."""
    healthy: bool | None = None
    """The result of its health check; None when it has no health check."""
    message: str = ""
    """The cluster's reason for a bad state."""
    usage: ReplicaUsage | None = None
    """The processors and memory that it uses; None if it does not run, or if its cluster does not measure them."""
    connections: int | None = None
    """How many connections a draining replica still serves; None in any other state, and before the first report."""
    until: str | None = None
    """When a draining replica ends at the latest, as an ISO time; None in any other state."""


@dataclass(frozen=True)
class WorkloadStatus:
    """One observation of an app's replicas in its cluster."""

    app: str
    """The app."""
    wanted: int
    """How many replicas should run."""
    ready: int
    """How many replicas are ready to serve."""
    replicas: tuple[ReplicaStatus, ...] = ()
    """Each replica."""
    message: str = ""
    """The reason why too few are ready."""
    present: tuple[int, ...] = ()
    """The generation of each replica that should serve and that either runs or is being restarted by the cluster."""
    sightings: tuple[ReplicaSighting, ...] = ()
    """The result of the observation of each live replica."""
    ends: tuple[ReplicaEnd, ...] = ()
    """The recent ends of live replicas. A later observation may report the same end again."""
    unseen: str = ""
    """The reason why the app could not be observed. If there is one, only the field `app` has a meaning."""


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
    failed: bool = False,
    alerts: frozenset[str] = frozenset(),
) -> str:
    """Returns the one state that sums up an app: the most serious of all states that apply.

    `failed`: the app's last deploy failed. `alerts`: the kinds of the app's open alerts.
    """
    if broken:
        return "broken"
    if forge is not ForgeState.FORGED:
        return str(forge)
    if not live:
        return "deploy failed" if failed else "never deployed"
    if role == "cron":
        return "paused" if paused else "off" if off else "scheduled"
    if role == "function":
        return "ready"
    if wanted == 0:
        return "stopped"
    if alerts & _CRASHES:
        return "crash-looping"
    if AlertKind.UNHEALTHY in alerts:
        return "unhealthy"
    if ready >= wanted:
        return "running"
    return "degraded" if ready else "down"


_CRASHES = {AlertKind.CRASH_LOOPING, AlertKind.OUT_OF_MEMORY}

# The command that helps in each state that is not normal.
_HINTS = {
    "broken": "norn validate",
    "unforged": "norn forge {app}",
    "forge_failed": "norn forge {app}",
    "never deployed": "norn deploy {app}",
    "deploy failed": "norn deploy {app}",
    "stopped": "norn scale {app} --reset",
    "paused": "norn cron resume {app}",
    "crash-looping": "norn why {app}",
    "unhealthy": "norn why {app}",
    "degraded": "norn logs {app}",
    "down": "norn logs {app}",
}


def way_on(app: str, state: str) -> str:
    """Returns the command that helps an app in this state; an empty text when nothing is wrong."""
    return _HINTS.get(state, "").format(app=app)
