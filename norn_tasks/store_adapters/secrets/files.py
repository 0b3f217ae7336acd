"""The rows with the encrypted files of secrets that jobs import or have exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.dispatch import set_secrets
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps.files import secret_files
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import rows


@dataclass(frozen=True)
class SecretFileTable:
    """Implements `ports.SecretFiles`. While PostgreSQL is away, a change is retried for up to `patience` seconds."""

    database: Database
    apps_dir: Path | None
    patience: float = 0

    def find(self, job: int) -> str | None:
        """Returns the file of a job; None if there is none."""
        with self.database.transaction() as tx:
            return secret_files.find(tx, job)

    def keep(self, job: int, app: str, text: str, fence: Fence) -> None:
        """Stores the file that a job has written."""
        self._fenced(fence, lambda tx: secret_files.keep(tx, job, app, text))

    def set_secrets(self, app: str, values: Mapping[str, Secret], fence: Fence) -> dict[str, int]:
        """Sets the secrets and deletes the job's file in one transaction; returns the new versions."""

        def change(tx: Tx) -> dict[str, int]:
            actor = secret_files.sender(tx, fence.job)
            versions = set_secrets(tx, self.apps_dir, app, values, actor=actor) if values else {}
            secret_files.forget(tx, fence.job)
            return versions

        return self._fenced(fence, change)

    def _fenced(self, fence: Fence, work: Callable[[Tx], T]) -> T:
        def transaction() -> T:
            with self.database.transaction() as tx:
                rows.hold(tx, fence)
                return work(tx)

        return retry_while_down(transaction, self.patience)
