"""The replica: one container of the docker cluster, the moves of its life that the router follows, and its health."""

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
    """A replica of the docker cluster as its row has it. `address` is `ip:port`, '' before it runs or without port.

    `state`: starting (recorded, not gated), live (gated: the router may send to it), leaving (the router must not).
    """

    container: str
    app: str
    release: int
    generation: int
    state: str
    address: str = ""
    memory: int | None = None
    """The bytes of memory that it is held to; none for no limit."""
    health: Health | None = None
    """How it is checked while it is live; none for a worker."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed: a sentence without its end."""
    silent: bool = False
    """The last check failed without any answer."""
    unchecked: float | None = None
    """The seconds since the last check; none before the first one."""

    @property
    def unhealthy(self) -> bool:
        """True when as many checks have failed in a row as its spec allows."""
        return self.health is not None and self.failures >= self.health.retries

    @property
    def hung(self) -> bool:
        """True when it is unhealthy and answers nothing at all: only a new replica helps."""
        return self.unhealthy and self.silent


@dataclass(frozen=True)
class ReplicaSighting:
    """The result of a look at one live replica."""

    container: str
    restarts: int
    """How often the engine has restarted it."""
    checked: bool = False
    """Its health was checked in this look."""
    failures: int = 0
    """How many of its last checks failed, in a row."""
    fault: str = ""
    """The result of the last check, if it failed."""
    silent: bool = False
    """The last check failed without any answer."""
    unhealthy: bool = False
    """As many checks have failed in a row as its spec allows."""


@dataclass(frozen=True)
class ReplicaEnd:
    """An end of a replica's program, as the engine reported it."""

    container: str
    at: datetime
    exit_code: int | None
    out_of_memory: bool = False
    release: int | None = None
    """The release of a replica that has no row; none for one that has."""
    generation: int | None = None
    """The generation of a replica that has no row; none for one that has."""
