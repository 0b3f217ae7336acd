"""Public host names as rows, and a job's turn to change the tunnel, which is a lock in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.tunnel.external_host import ExternalHost
from norn_tasks.ports import Watch
from norn_tasks.store.apps import external_hosts
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import rows

LOOK_SECONDS = 900.0
"""Seconds between two observations of a name. Each may try to get a certificate, and issuers allow five failures per
hour.
"""
POLL_SECONDS = 0.2
"""The seconds between two tries to get the turn while another job has it."""


@dataclass(frozen=True)
class _LockedTurn:
    """The turn of a job: the transaction that has the lock."""

    tx: Tx
    fence: Fence

    def keep(self) -> None:
        """Uses the transaction, because the database ends a transaction that is idle for ten seconds. Raises LeaseLost
        if another worker has the job.
        """
        external_hosts.require_held(self.tx, self.fence)


@dataclass(frozen=True)
class ExternalHostTable:
    """Implements `ports.ExternalHosts`. While PostgreSQL is unreachable, a change is repeated for up to `patience`
    seconds.
    """

    database: Database
    patience: float = 0

    @contextmanager
    def turn(self, watch: Watch) -> Iterator[_LockedTurn]:
        """Waits for the lock; a worker that is killed loses it with its connection."""
        while True:
            watch.stop.check()
            with self.database.transaction() as tx:
                if external_hosts.take_turn(tx):
                    turn = _LockedTurn(tx, watch.fence)
                    turn.keep()
                    yield turn
                    return
            watch.stop.wait(POLL_SECONDS)

    def claim(self, app: str, host: str, fence: Fence) -> None:
        """Gives the name to the app; raises HostTaken if another app has it."""
        self._fenced(fence, lambda tx: external_hosts.claim(tx, app, host))

    def release(self, app: str, fence: Fence) -> None:
        """Marks all names of the app for removal."""
        self._fenced(fence, lambda tx: external_hosts.release(tx, app))

    def of_app(self, app: str) -> tuple[ExternalHost, ...]:
        """Lists the names of an app."""
        return self._retried(lambda tx: external_hosts.of_app(tx, app))

    def all(self) -> tuple[ExternalHost, ...]:
        """Lists the names of all apps."""
        return self._retried(external_hosts.everyone)

    def due_at_edge(self) -> tuple[ExternalHost, ...]:
        """Returns the names that were last observed more than 15 minutes ago."""
        return self._retried(lambda tx: external_hosts.due_at_edge(tx, LOOK_SECONDS))

    def save(self, host: ExternalHost, fence: Fence) -> None:
        """Writes a name with the rule and the record that were made for the name, or will be."""
        self._fenced(fence, lambda tx: external_hosts.save(tx, host))

    def _fenced(self, fence: Fence, work: Callable[[Tx], T]) -> T:
        def held(tx: Tx) -> T:
            rows.hold(tx, fence)
            return work(tx)

        return self._retried(held)

    def _retried(self, work: Callable[[Tx], T]) -> T:
        def transaction() -> T:
            with self.database.transaction() as tx:
                return work(tx)

        return retry_while_down(transaction, self.patience)
