"""What there is of an app: its containers as the engine tells of them, each beside its row, and the rows left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from norn_tasks.domain.replica import Replica, ReplicaState


@dataclass(frozen=True)
class Seen:
    """A container of ours: `state` is the engine's word, `ip` empty while it does not run.

    `row` is what the memory of the cluster has of it, None before it is recorded.
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
    row: Replica | None = None

    @property
    def name(self) -> str:
        """How people call it: `r3-1` is the first replica of release 3."""
        return f"r{self.release}-{self.index}"

    @property
    def running(self) -> bool:
        """True while its program runs; false while the engine waits to restart it."""
        return self.state in ("running", "paused")

    @property
    def fresh(self) -> bool:
        """True when it was never started."""
        return self.state == "created"

    @property
    def live(self) -> bool:
        """True when it passed its gate and has not been asked to leave."""
        return self.row is not None and self.row.state == ReplicaState.LIVE

    @property
    def leaving(self) -> bool:
        """True when it was asked to leave."""
        return self.row is not None and self.row.state == ReplicaState.LEAVING

    @property
    def routed(self) -> bool:
        """True when requests may be open on it."""
        return self.running and self.row is not None and self.row.address != ""

    @property
    def moved(self) -> bool:
        """True when it is live at another address than its row says."""
        return self.live and self.routed and self.ip != "" and self.row is not None and self.row.address != self.address

    @property
    def address(self) -> str:
        """Where it is reached now, at the port of its row."""
        return f"{self.ip}:{self.row.address.rpartition(':')[2]}" if self.row and self.row.address else ""


@dataclass(frozen=True)
class World:
    """An app's containers, and its rows (`lost`) whose container is gone."""

    replicas: tuple[Seen, ...] = ()
    lost: tuple[Replica, ...] = ()


def joined(containers: Iterable[Seen], rows: Iterable[Replica]) -> World:
    """Puts containers and rows together."""
    known = {row.container: row for row in rows}
    replicas = tuple(replace(each, row=known.pop(each.id, None)) for each in containers)
    return World(replicas, tuple(known.values()))
