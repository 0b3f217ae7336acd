"""The port for shared services: the servers of databases, keys, topics and buckets, and Norn's records of the parts
that apps have.
"""

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
    """The servers of all kinds of services; a server is started, or connected to, when it is needed.

    `apart`: the containers of the app cannot reach the servers that Norn itself runs on the engine.
    """

    def credential(
        self, app: str, grant: Grant, known: Secret | None, stop: Stop, *, apart: bool, present: Secret | None = None
    ) -> Secret:
        """Returns an app's credential: the server's present address, with the password of `known` or otherwise a new
        one.

        Normally this changes nothing on the server. But an object store makes the new key itself; the key in `present`,
        which containers use, then stays valid. Raises NoService, ServiceDown.
        """

    def require(self, kind: ServiceKind, stop: Stop) -> None:
        """Raises NoService or ServiceDown if the server of a kind cannot be managed; raises StepFailed if the server
        refuses Norn.
        """

    def make(self, app: str, grant: Grant, credential: Secret, stop: Stop) -> None:
        """Creates missing parts, and lets only this credential use the parts.

        Raises ServiceTaken if a database or a bucket belongs to somebody else, and ServiceDown.
        """

    def dump(self, database: str, file: str, watch: Watch) -> Dump:
        """Writes a dump of a database into a file and checks it; returns its size, and the row count of each table.

        Raises ServiceDown, or StepFailed with the message of the program.
        """

    def restore(self, snapshot: Snapshot, credential: Secret, confirm: Callable[[], None], watch: Watch) -> bool:
        """Replaces the snapshot's database with the snapshot, in one transaction; returns False if this job has already
        done so.

        Before that transaction, and after an error, the database is unchanged. `confirm` raises LeaseLost if another
        worker has the job. Raises ServiceDown. Raises StepFailed if the file of the snapshot is not on this machine,
        cannot be restored, or has other row counts than recorded.
        """

    def drill(self, snapshot: Snapshot, credential: Secret, watch: Watch) -> None:
        """Restores a snapshot into a scratch database, and removes that database; raises the errors of `restore`."""

    def tidy(self, app: str, stop: Stop) -> None:
        """Removes the databases that restores and drills of the app have replaced or left behind."""

    def databases(self, names: tuple[str, ...], stop: Stop) -> tuple[SeenDatabase, ...]:
        """Returns the size and the number of connections of each of these databases that exists."""

    def drop_dump(self, file: str) -> bool:
        """Removes a dump by its name; returns False if this machine does not have it."""

    def remove(self, app: str, grant: Grant, stop: Stop, *, last: bool) -> None:
        """Removes parts with their data, and with `last` also the app's role; missing parts are no error."""


class ServiceRecords(Protocol):
    """The records of the parts that apps were given. Every change is fenced: it raises LeaseLost for an old token."""

    def reserve(self, app: str, grants: tuple[Grant, ...], fence: Fence) -> None:
        """Reserves the parts for an app before they are made; raises ServiceTaken if another app has one of them."""

    def keep(self, app: str, credentials: Mapping[str, Secret], fence: Fence) -> tuple[Sealed, ...]:
        """Encrypts and stores credentials, each as the next version of a secret; returns all secrets of the app."""

    def made(self, app: str, grant: Grant, fence: Fence) -> None:
        """Records that the parts exist."""

    def reserve_snapshot(self, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
        """Creates and returns the row of the snapshot that the job is about to take. After a takeover, returns the same
        row.
        """

    def snapshot_taken(self, snapshot: int, dump: Dump, fence: Fence) -> None:
        """Records that the file of a snapshot is complete."""

    def spent_snapshots(self, app: str, reason: SnapshotReason, retain: int) -> tuple[Snapshot, ...]:
        """Returns the snapshots taken for this reason that are older than the newest `retain` complete ones."""

    def snapshot(self, app: str, number: int) -> Snapshot:
        """Returns a complete snapshot of the app; raises NotFound or Conflict."""

    def newest_backup(self, app: str) -> Snapshot | None:
        """Returns the newest complete backup of the app."""

    def drilled(self, snapshot: int, fence: Fence) -> None:
        """Records that a drill has restored a snapshot."""

    def check(self, fence: Fence) -> None:
        """Raises LeaseLost if the token is not valid."""

    def databases(self) -> tuple[str, ...]:
        """Lists the databases that were made for apps."""

    def snapshots_of(self, app: str) -> tuple[Snapshot, ...]:
        """Lists the snapshots of an app."""

    def forget_snapshot(self, snapshot: int, fence: Fence) -> None:
        """Deletes the row of a snapshot without a file."""

    def of_app(self, app: str) -> tuple[GrantedPart, ...]:
        """Returns the parts that the app has, including parts that its infraspec no longer names."""

    def leave(self, app: str, kind: ServiceKind, fence: Fence) -> tuple[str, ...]:
        """Returns the app's parts of this kind that no other app uses; from now on, no other app can reserve these
        parts.
        """

    def forget(self, app: str, grant: Grant, fence: Fence) -> None:
        """Deletes the record of parts that no longer exist, and the credential for them."""
