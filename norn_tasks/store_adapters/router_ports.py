"""The router's ports that clusters give to webservers, as rows that the router reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import routes, rows


@dataclass(frozen=True)
class RouterPortTable:
    """Implements `ports.RouterPorts` for the ports from `first` to `last`.

    While PostgreSQL is unreachable, a call is repeated for up to `patience` seconds.
    """

    database: Database
    first: int
    last: int
    patience: float = 0

    def reserve(self, app: str, fence: Fence) -> int:
        """Returns the app's port; an app without one gets the lowest free one. Raises Unavailable if none is free."""
        return self._fenced(fence, lambda tx: routes.reserve_address(tx, app, self.first, self.last))

    def release(self, app: str, fence: Fence) -> None:
        """Frees the app's port."""
        self._fenced(fence, lambda tx: routes.release_address(tx, app))

    def lead(self, app: str, entrance: str, fence: Fence) -> int | None:
        """Makes the router send an app's requests to `entrance`, if the app has moved to another cluster. Returns the
        app's port; None for an app that has not moved.
        """
        return self._fenced(fence, lambda tx: routes.lead_to(tx, app, entrance))

    def _fenced(self, fence: Fence, work: Callable[[Tx], T]) -> T:
        def transaction() -> T:
            with self.database.transaction() as tx:
                rows.hold(tx, fence)
                return work(tx)

        return retry_while_down(transaction, self.patience)
