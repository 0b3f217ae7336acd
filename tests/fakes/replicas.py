"""The store of replicas in memory: rows, fences (leases of jobs), and the number of live replicas after every
change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from norn_tasks.domain.errors import LeaseLost, NotFound
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState


@dataclass
class FakeReplicas:
    """A fake of `ports.Replicas`. Tests set `fallen` (fencing tokens that are no longer valid), `falls_at` (the change
    at which the job that makes it loses its lease) and `drains` (whether open requests end without help). They read
    `rows`, `changes` and `counts`.

    `changes`: (verb, container); `counts`: (live, all) after each change.
    """

    rows: dict[str, Replica] = field(default_factory=dict)
    fallen: set[int] = field(default_factory=set)
    falls_at: str = ""
    drains: bool = True
    changes: list[tuple[str, str]] = field(default_factory=list)
    counts: list[tuple[int, int]] = field(default_factory=list)

    def of_app(self, app: str) -> tuple[Replica, ...]:
        """Lists an app's rows, oldest first."""
        return tuple(row for row in self.rows.values() if row.app == app)

    def starting(self, replica: Replica, fence: Fence) -> None:
        """Records a replica that starts."""
        self._hold("starting", fence)
        self.rows[replica.container] = replica
        self._changed("starting", replica.container)

    def live(self, container: str, address: str, fence: Fence) -> None:
        """Records that a replica has passed its health check and gets requests."""
        self._hold("live", fence)
        if container not in self.rows:
            raise NotFound(f"container {container} was never recorded as a replica")
        self.rows[container] = replace(self.rows[container], state=ReplicaState.LIVE, address=address)
        self._changed("live", container)

    def leaving(self, container: str, fence: Fence) -> None:
        """Records that a replica gets no new requests."""
        self._hold("leaving", fence)
        if container in self.rows and self.rows[container].state != ReplicaState.LEAVING:
            self.rows[container] = replace(self.rows[container], state=ReplicaState.LEAVING, until=None)
            self._changed("leaving", container)

    def drained(self, container: str) -> bool:
        """Returns True if its requests have ended, or it has no row."""
        return self.drains or container not in self.rows

    def draining(self, container: str, seconds: float, fence: Fence) -> None:
        """Records that a replica keeps running until its open connections end."""
        self._hold("draining", fence)
        if container in self.rows and self.rows[container].state == ReplicaState.LEAVING:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            self.rows[container] = replace(self.rows[container], state=ReplicaState.DRAINING, until=until)
            self._changed("draining", container)

    def due(self) -> tuple[Replica, ...]:
        """Lists the draining replicas whose requests have ended or whose time is over."""
        drains = [row for row in self.rows.values() if row.state == ReplicaState.DRAINING]
        return tuple(row for row in drains if self.drains or row.until is None or row.until <= datetime.now(UTC))

    def ending(self, container: str, fence: Fence) -> bool:
        """Ends the remaining time of a draining replica; returns False if the replica is not draining."""
        self._hold("ending", fence)
        row = self.rows.get(container)
        if row is None or row.state != ReplicaState.DRAINING:
            return False
        self.rows[container] = replace(row, until=min(row.until or datetime.now(UTC), datetime.now(UTC)))
        self._changed("ending", container)
        return True

    def gone(self, container: str, fence: Fence) -> None:
        """Removes the row of a replica."""
        self._hold("gone", fence)
        if self.rows.pop(container, None) is not None:
            self._changed("gone", container)

    def lived(self) -> list[str]:
        """Returns the containers that are live."""
        return [row.container for row in self.rows.values() if row.state == ReplicaState.LIVE]

    def _hold(self, verb: str, fence: Fence) -> None:
        if verb == self.falls_at:
            self.fallen.add(fence.token)
            self.falls_at = ""
        if fence.token in self.fallen:
            raise LeaseLost(f"job {fence.job} is not this worker's any more")

    def _changed(self, verb: str, container: str) -> None:
        self.changes.append((verb, container))
        self.counts.append((len(self.lived()), len(self.rows)))
