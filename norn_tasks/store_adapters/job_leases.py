"""The leases of jobs, which are checked before something is written outside of the database."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import Database, retry_while_down
from norn_tasks.store.replicas import rows


@dataclass(frozen=True)
class JobLeases:
    """Checks leases in the database. While PostgreSQL is unreachable, a check is repeated for up to `patience`
    seconds.
    """

    database: Database
    patience: float = 0

    def __call__(self, fence: Fence) -> None:
        """Raises LeaseLost if the job's token is no longer valid."""

        def check() -> None:
            with self.database.transaction() as tx:
                rows.hold(tx, fence)

        retry_while_down(check, self.patience)
