"""The replica: one container of the Docker cluster, with its health and its state. The router sends requests only to
live replicas.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from norn_tasks.domain.infraspec import Health


class ReplicaState(StrEnum):
    """The state of a replica. A replica that was removed has no row."""

    STARTING = "starting"
    LIVE = "live"
    LEAVING = "leaving"
    DRAINING = "draining"


@dataclass(frozen=True)
class Replica:
    """A replica of the Docker cluster, as its row describes it. `address` is `ip:port`; empty before it runs, or if it
    has no port.

    `state`: starting (not yet healthy), live (the router may send requests), leaving (being removed, the router must
    not send requests), or draining (the router must not send requests, and it keeps running for its open connections).
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
    """How its health is checked while it is live; None for a replica of a worker app."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed, such as `answered 500`."""
    silent: bool = False
    """True if the last check got no answer at all."""
    unchecked: float | None = None
    """The seconds since the last check; None before the first check."""
    until: datetime | None = None
    """When a draining replica ends at the latest; None in any other state."""
    connections: int | None = None
    """How many connections a draining replica still serves, as the router reported; None before the first report."""

    @property
    def unhealthy(self) -> bool:
        """True if at least `health.retries` checks in a row have failed (a field of the infraspec)."""
        return self.health is not None and self.failures >= self.health.retries

    @property
    def hung(self) -> bool:
        """True if the replica is unhealthy and does not answer at all, so that only a new replica helps."""
        return self.unhealthy and self.silent


@dataclass(frozen=True)
class ReplicaSighting:
    """The result of an observation of one live replica."""

    container: str
    restarts: int
    """How often the engine has restarted it."""
    checked: bool = False
    """True if its health was checked during this observation."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed."""
    silent: bool = False
    """True if the last check got no answer at all."""
    unhealthy: bool = False
    """True if at least `health.retries` checks in a row have failed (a field of the infraspec)."""


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
