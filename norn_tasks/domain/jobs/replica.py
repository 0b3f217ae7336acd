"""The replica: one container of the Docker cluster, its states, by which the router sends requests, and its health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from norn_tasks.domain.infraspec import Health


class ReplicaState(StrEnum):
    """The state of a replica; a replica that is gone has no row."""

    STARTING = "starting"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Replica:
    """A replica of the Docker cluster, as in its row. `address` is `ip:port`; empty before it runs, or without a port.

    `state`: starting (not yet found ready), live (the router may send requests to it), leaving (the router must not).
    """

    container: str
    app: str
    release: int
    generation: int
    state: str
    address: str = ""
    memory: int | None = None
    """Its memory limit in bytes; None if it has no limit."""
    health: Health | None = None
    """How its health is checked while it is live; None for a worker."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed, such as `answered 500`."""
    silent: bool = False
    """The last check failed without any answer."""
    unchecked: float | None = None
    """The seconds since the last check; None before the first check."""

    @property
    def unhealthy(self) -> bool:
        """True when as many checks in a row have failed as `health.retries` of its spec says."""
        return self.health is not None and self.failures >= self.health.retries

    @property
    def hung(self) -> bool:
        """True when it is unhealthy and does not answer at all, so that only a new replica helps."""
        return self.unhealthy and self.silent


@dataclass(frozen=True)
class ReplicaSighting:
    """The result of an observation of one live replica."""

    container: str
    restarts: int
    """How often the engine has restarted it."""
    checked: bool = False
    """Its health was checked during this observation."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed."""
    silent: bool = False
    """The last check failed without any answer."""
    unhealthy: bool = False
    """As many checks in a row have failed as `health.retries` of its spec says."""


@dataclass(frozen=True)
class ReplicaEnd:
    """An end of a replica's program, as the engine reported it."""

    container: str
    at: datetime
    exit_code: int | None
    out_of_memory: bool = False
    release: int | None = None
    """The release of the replica, if the replica has no row; otherwise None."""
    generation: int | None = None
    """The generation of the replica, if the replica has no row; otherwise None."""
