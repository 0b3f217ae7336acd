"""An app's containers as the engine reports them, each with its database row, and the rows whose container does not
exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from norn_tasks.domain.jobs.replica import Replica, ReplicaState


@dataclass(frozen=True)
class ReplicaContainer:
    """The container of a replica. `state` is the engine's name for its state; `ip` is empty while the container does
    not run.

    `grace`: the seconds that its program gets to end. `row`: its row in the table of replicas; None before the replica
    is recorded. `checked`: True if this observation has checked its health.
    """

    id: str
    app: str
    index: int
    release: int
    generation: int
    state: str
    ip: str = ""
    restarts: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    grace: int = 10
    checked: bool = False
    row: Replica | None = None

    @property
    def name(self) -> str:
        """The name that people see: `r3-1` is the first replica of release 3."""
        return f"r{self.release}-{self.index}"

    @property
    def running(self) -> bool:
        """True while the program runs or is paused; False while the engine waits to restart the program."""
        return self.state in ("running", "paused")

    @property
    def fresh(self) -> bool:
        """True if the container was never started."""
        return self.state == "created"

    @property
    def live(self) -> bool:
        """True if the replica has passed its gate and is not being removed."""
        return self.row is not None and self.row.state == ReplicaState.LIVE

    @property
    def leaving(self) -> bool:
        """True if the replica is being removed."""
        return self.row is not None and self.row.state == ReplicaState.LEAVING

    @property
    def draining(self) -> bool:
        """True if the replica was replaced, and keeps running only for its open connections."""
        return self.row is not None and self.row.state == ReplicaState.DRAINING

    @property
    def hung(self) -> bool:
        """True if the replica is live and answers none of its checks."""
        return self.live and self.row is not None and self.row.hung

    @property
    def well(self) -> bool:
        """True if the replica is live, runs, and does not fail its checks."""
        return self.live and self.running and self.row is not None and not self.row.unhealthy

    @property
    def routed(self) -> bool:
        """True if the router may have open requests to the replica."""
        return self.running and self.row is not None and self.row.address != ""

    @property
    def moved(self) -> bool:
        """True if the replica is live and its address differs from the one in its row."""
        return self.live and self.routed and self.ip != "" and self.row is not None and self.row.address != self.address

    @property
    def address(self) -> str:
        """The container's present address, with the port from the replica's row."""
        return f"{self.ip}:{self.row.address.rpartition(':')[2]}" if self.row and self.row.address else ""


@dataclass(frozen=True)
class World:
    """An app's containers, and in `lost` the rows whose container no longer exists."""

    replicas: tuple[ReplicaContainer, ...] = ()
    lost: tuple[Replica, ...] = ()


def joined(containers: Iterable[ReplicaContainer], rows: Iterable[Replica]) -> World:
    """Joins containers and rows, and returns the containers, each with its row, and the rows without a container."""
    known = {row.container: row for row in rows}
    replicas = tuple(replace(each, row=known.pop(each.id, None)) for each in containers)
    return World(replicas, tuple(known.values()))
