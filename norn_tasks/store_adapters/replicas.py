"""The replicas of the docker cluster: rows that its rollouts write and the router reads."""

from __future__ import annotations

from collections.abc import Callable

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import rows


class ReplicaTable:
    """Implements `ports.Replicas`. While PostgreSQL is unreachable, a call is repeated for up to `patience` seconds."""

    def __init__(self, database: Database, *, patience: float = 0) -> None:
        self._database, self._patience = database, patience

    def of_app(self, app: str) -> tuple[Replica, ...]:
        """Lists the app's replicas that are not gone, oldest first."""
        return self._retried(lambda tx: rows.of_app(tx, app))

    def starting(self, replica: Replica, fence: Fence) -> None:
        """Records a created container before it is started; recording it again resets its state."""
        self._retried(lambda tx: rows.starting(tx, replica, fence))

    def live(self, container: str, address: str, fence: Fence) -> None:
        """Lets the router send requests to `address`; raises NotFound for a container without a row."""
        if not self._retried(lambda tx: rows.live(tx, container, address, fence)):
            raise NotFound(f"container {container} was never recorded as a replica", hint="deploy the app again")

    def leaving(self, container: str, fence: Fence) -> None:
        """Stops new requests to a container; does nothing if the container has no row."""
        self._retried(lambda tx: rows.leaving(tx, container, fence))

    def drained(self, container: str) -> bool:
        """Returns True when the router has no open request to a container, or the container has no row."""
        return self._retried(lambda tx: rows.drained(tx, container))

    def draining(self, container: str, seconds: float, fence: Fence) -> None:
        """Lets a leaving replica run on for its open connections; changes nothing in any other state."""
        self._retried(lambda tx: rows.drain(tx, container, seconds, fence))

    def due(self) -> tuple[Replica, ...]:
        """Lists the draining replicas without an open connection, and those whose time is over."""
        return self._retried(rows.due)

    def ending(self, container: str, fence: Fence) -> bool:
        """Ends the time of a draining replica; returns False if it is not draining."""
        return self._retried(lambda tx: rows.ending(tx, container, fence))

    def gone(self, container: str, fence: Fence) -> None:
        """Removes the row of a container that the engine no longer has."""
        self._retried(lambda tx: rows.gone(tx, container, fence))

    def _retried(self, work: Callable[[Tx], T]) -> T:
        """Runs `work` in a transaction, and repeats it while PostgreSQL is unreachable. This is safe because each
        change here is idempotent.
        """

        def transaction() -> T:
            with self._database.transaction() as tx:
                return work(tx)

        return retry_while_down(transaction, self._patience)
