"""The records of shared services: rows, and credentials, which are encrypted here in the same way as secrets in the
API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from norn_tasks import sealing
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed, Secret
from norn_tasks.domain.services import Dump, Grant, GrantedPart, ServiceKind, Snapshot, SnapshotReason
from norn_tasks.store.apps import secrets, services, snapshots
from norn_tasks.store.database.session import Database, T, Tx, retry_while_down
from norn_tasks.store.replicas import rows

BY = "norn"
"""The actor that sets the credentials."""


@dataclass(frozen=True)
class ServiceRecordTable:
    """Implements `ports.ServiceRecords`. While PostgreSQL is unreachable, a call is repeated for up to `patience`
    seconds.
    """

    database: Database
    patience: float = 0

    def reserve(self, app: str, grants: tuple[Grant, ...], fence: Fence) -> None:
        """Reserves the parts for an app; raises ServiceTaken if another app has one, ServiceDown if one is being
        removed.
        """
        self._fenced(fence, lambda tx: services.reserve(tx, app, grants))

    def keep(self, app: str, credentials: Mapping[str, Secret], fence: Fence) -> tuple[Sealed, ...]:
        """Encrypts and stores credentials; returns all secrets of the app."""

        def kept(tx: Tx) -> tuple[Sealed, ...]:
            public = secrets.recipient(tx)
            sealed = {name: sealing.seal(value.reveal(), public) for name, value in credentials.items()}
            secrets.put(tx, app, sealed, actor=BY)
            return secrets.sealed_of(tx, app)

        return self._fenced(fence, kept)

    def made(self, app: str, grant: Grant, fence: Fence) -> None:
        """Records that the parts exist."""
        self._fenced(fence, lambda tx: services.made(tx, app, grant))

    def reserve_snapshot(self, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
        """Returns the snapshot that the job takes."""
        return self._fenced(fence, lambda tx: snapshots.reserve(tx, app, database, reason, fence))

    def snapshot_taken(self, snapshot: int, dump: Dump, fence: Fence) -> None:
        """Records that the file of a snapshot is complete."""
        self._fenced(fence, lambda tx: snapshots.taken(tx, snapshot, dump))

    def spent_snapshots(self, app: str, reason: SnapshotReason, retain: int) -> tuple[Snapshot, ...]:
        """Returns the snapshots for a reason that are no longer needed."""
        with self.database.transaction() as tx:
            return snapshots.spent(tx, app, reason, retain)

    def snapshot(self, app: str, number: int) -> Snapshot:
        """Returns a complete snapshot of the app; raises NotFound or, for an incomplete one, Conflict."""
        with self.database.transaction() as tx:
            return snapshots.whole(tx, app, number)

    def newest_backup(self, app: str) -> Snapshot | None:
        """Returns the newest complete backup."""
        with self.database.transaction() as tx:
            return snapshots.newest_backup(tx, app)

    def drilled(self, snapshot: int, fence: Fence) -> None:
        """Records that a drill has restored a snapshot."""
        self._fenced(fence, lambda tx: snapshots.drilled(tx, snapshot))

    def check(self, fence: Fence) -> None:
        """Raises LeaseLost if the token is not valid."""
        self._fenced(fence, lambda _: None)

    def databases(self) -> tuple[str, ...]:
        """Lists the databases of all apps."""
        with self.database.transaction() as tx:
            return services.databases(tx)

    def snapshots_of(self, app: str) -> tuple[Snapshot, ...]:
        """Lists the snapshots of an app."""
        with self.database.transaction() as tx:
            return snapshots.listed(tx, frozenset({app}))

    def forget_snapshot(self, snapshot: int, fence: Fence) -> None:
        """Removes the row of a snapshot."""
        self._fenced(fence, lambda tx: snapshots.forget(tx, snapshot))

    def of_app(self, app: str) -> tuple[GrantedPart, ...]:
        """Lists the parts that the app has."""
        with self.database.transaction() as tx:
            return services.of_app(tx, app)

    def leave(self, app: str, kind: ServiceKind, fence: Fence) -> tuple[str, ...]:
        """Returns the app's parts of this kind that no other app uses; from now on no other app can reserve them."""
        return self._fenced(fence, lambda tx: services.leave(tx, app, kind))

    def forget(self, app: str, grant: Grant, fence: Fence) -> None:
        """Deletes the record of parts that no longer exist, and the credential for them."""

        def forget(tx: Tx) -> None:
            services.forget(tx, app, grant)
            try:
                secrets.unset(tx, app, grant.kind.variable, actor=BY)
            except NotFound:
                return

        self._fenced(fence, forget)

    def _fenced(self, fence: Fence, work: Callable[[Tx], T]) -> T:
        def transaction() -> T:
            with self.database.transaction() as tx:
                rows.hold(tx, fence)
                return work(tx)

        return retry_while_down(transaction, self.patience)
