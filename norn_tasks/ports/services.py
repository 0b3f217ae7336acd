"""Shared services: the servers on which apps have databases, keys and topics, and the records of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed, Secret
from norn_tasks.domain.services import (
    Dump,
    Grant,
    GrantedPart,
    SeenDatabase,
    ServiceKind,
    Snapshot,
    SnapshotReason,
)
from norn_tasks.ports.watch import Stop, Watch


class SharedServices(Protocol):
    """The servers of all kinds; each is started or reached when it is needed.

    `apart`: the app runs on machines other than the engine's, so the servers that Norn runs itself are no use to it.
    """

    def credential(self, app: str, grant: Grant, known: Secret | None, stop: Stop, *, apart: bool) -> Secret:
        """Returns the credential of an app, with the present address and the password in `known`, or else a new one.

        Changes nothing on the server. Raises NoService, ServiceDown.
        """

    def require(self, kind: ServiceKind, stop: Stop) -> None:
        """Raises NoService or ServiceDown if the server of a kind cannot be managed, StepFailed if it refuses us."""

    def make(self, app: str, grant: Grant, credential: Secret, stop: Stop) -> None:
        """Makes the parts that are missing and lets the credential, and no other, use them.

        Raises ServiceTaken for a database that is not of this app, ServiceDown.
        """

    def dump(self, database: str, file: str, watch: Watch) -> Dump:
        """Writes a dump of a database into a file and checks it; returns its size, and the row count of each table.

        Raises ServiceDown, or StepFailed with the message of the program.
        """

    def restore(self, snapshot: Snapshot, credential: Secret, confirm: Callable[[], None], watch: Watch) -> bool:
        """Replaces its database with a snapshot, in one transaction; returns False if this job has done that before.

        Until then, and after an error, the database is unchanged. `confirm` raises LeaseLost if the job has another
        owner. Raises StepFailed if the file of the snapshot is not on this machine, cannot be restored or has other row
        counts than were recorded; ServiceDown.
        """

    def drill(self, snapshot: Snapshot, credential: Secret, watch: Watch) -> None:
        """Restores a snapshot into a scratch database, and removes that again; raises as `restore` does."""

    def tidy(self, app: str, stop: Stop) -> None:
        """Removes the databases that restores and drills of the app have replaced or left."""

    def databases(self, names: tuple[str, ...], stop: Stop) -> tuple[SeenDatabase, ...]:
        """Returns size and connections of those of the databases that exist."""

    def drop_dump(self, file: str) -> bool:
        """Removes a dump by its name; returns False if this machine does not have it."""

    def remove(self, app: str, grant: Grant, stop: Stop, *, last: bool) -> None:
        """Removes the parts with their data, and with the `last` ones the app's role too; missing ones are fine."""


class ServiceRecords(Protocol):
    """The records of what apps were given. Every change is fenced: it raises LeaseLost if the token is not valid."""

    def reserve(self, app: str, grants: tuple[Grant, ...], fence: Fence) -> None:
        """Reserves the parts for an app before they are made; raises ServiceTaken for one of another app."""

    def keep(self, app: str, credentials: Mapping[str, Secret], fence: Fence) -> tuple[Sealed, ...]:
        """Seals and keeps credentials, each as the next version of a secret; returns all secrets of the app."""

    def made(self, app: str, grant: Grant, fence: Fence) -> None:
        """Notes that the parts exist."""

    def reserve_snapshot(self, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
        """Writes and returns the row of the snapshot that the job is about to take; after a takeover, the same row."""

    def snapshot_taken(self, snapshot: int, dump: Dump, fence: Fence) -> None:
        """Notes that the file of a snapshot is complete."""

    def spent_snapshots(self, app: str, reason: SnapshotReason, retain: int) -> tuple[Snapshot, ...]:
        """Returns the snapshots taken for this reason that are older than the newest `retain` complete ones."""

    def snapshot(self, app: str, number: int) -> Snapshot:
        """Returns a complete snapshot of the app; raises NotFound or Conflict."""

    def newest_backup(self, app: str) -> Snapshot | None:
        """Returns the newest complete backup of the app."""

    def drilled(self, snapshot: int, fence: Fence) -> None:
        """Notes that a drill has restored a snapshot."""

    def check(self, fence: Fence) -> None:
        """Raises LeaseLost if the token is not valid."""

    def databases(self) -> tuple[str, ...]:
        """Lists the databases that were made for apps."""

    def snapshots_of(self, app: str) -> tuple[Snapshot, ...]:
        """Lists the snapshots of an app."""

    def forget_snapshot(self, snapshot: int, fence: Fence) -> None:
        """Removes the row of a snapshot whose file is gone."""

    def of_app(self, app: str) -> tuple[GrantedPart, ...]:
        """Lists the parts that the app has, including those that its spec no longer names."""

    def leave(self, app: str, kind: ServiceKind, fence: Fence) -> tuple[str, ...]:
        """Returns the app's parts of this kind that no other app keeps; from now on no other app can reserve them."""

    def forget(self, app: str, grant: Grant, fence: Fence) -> None:
        """Removes the record of parts that are gone, and retires the credential for them."""
