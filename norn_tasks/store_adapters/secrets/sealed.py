"""Everything that is encrypted for the server's key, as rows of several tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed
from norn_tasks.ports import SealedPlace
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import rows
from norn_tasks.store.upkeep import resealing


@dataclass(frozen=True)
class SealedTables:
    """Implements `ports.SealedRows`. While PostgreSQL is unreachable, a call is repeated for up to `patience`
    seconds.
    """

    database: Database
    patience: float = 0

    def in_use(self) -> str:
        """Returns the public key for which secrets are encrypted; raises Conflict if there is none yet."""
        with self.database.transaction() as tx:
            return secrets.recipient(tx)

    def use(self, public: str, fence: Fence) -> None:
        """Makes this the key for new secrets, after every transaction that uses the old key has ended."""
        self._fenced(fence, lambda tx: secrets.remember_recipient(tx, public))

    def all(self) -> tuple[SealedPlace, ...]:
        """Returns where all encrypted texts are."""
        with self.database.transaction() as tx:
            return tuple(SealedPlace(table, key) for table, key in resealing.places(tx))

    def reseal(self, place: SealedPlace, change: Callable[[Sealed], bytes | None], fence: Fence) -> bool:
        """Replaces an encrypted text with the result of `change`, in one transaction; returns False if nothing was
        replaced.
        """

        def work(tx: Tx) -> bool:
            found = resealing.held(tx, place.table, place.key)
            new = change(Sealed(f"{place.table} {place.key[0]}", 1, found)) if found is not None else None
            if new is not None:
                resealing.replace(tx, place.table, place.key, new)
            return new is not None

        return self._fenced(fence, work)

    def _fenced(self, fence: Fence, work: Callable[[Tx], T]) -> T:
        def transaction() -> T:
            with self.database.transaction() as tx:
                rows.hold(tx, fence)
                return work(tx)

        return retry_while_down(transaction, self.patience)
