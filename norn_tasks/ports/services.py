"""Shared services: the servers on which apps have databases, keys and topics, and the records of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed, Secret
from norn_tasks.domain.services import Grant, GrantedPart, ServiceKind, Snapshot, SnapshotReason
from norn_tasks.ports.watch import Stop, Watch


class SharedServices(Protocol):
    """The servers of all kinds; each is started or reached when it is needed.

    `apart`: the app runs on machines other than the engine's, so the servers that Norn runs itself are no use to it.
    """

    def credential(self, app: str, grant: Grant, known: Secret | None, stop: Stop, *, apart: bool) -> Secret:
        """Returns the credential of an app: that of `known` with today's address, or without one a new password.

        Changes nothing on the server. Raises NoService, ServiceDown.
        """

    def require(self, kind: ServiceKind, stop: Stop) -> None:
        """Raises NoService or ServiceDown if the server of a kind cannot be managed, StepFailed if it refuses us."""

    def make(self, app: str, grant: Grant, credential: Secret, stop: Stop) -> None:
        """Makes the parts that are missing and lets the credential, and no other, use them.

        Raises ServiceTaken for a database that is not of this app, ServiceDown.
        """

    def dump(self, database: str, file: str, watch: Watch) -> int:
        """Writes a dump of a database, under a name, and checks it; returns its bytes.

        Raises ServiceDown, or StepFailed with the message of the program.
        """

    def drop_dump(self, file: str) -> bool:
        """Removes a dump by its name; returns False if this machine does not have it."""

    def remove(self, app: str, grant: Grant, stop: Stop, *, last: bool) -> None:
        """Removes the parts with their data, and with the `last` ones the app's role; missing parts are fine."""


class ServiceRecords(Protocol):
    """The records of what apps were given. Every change is fenced: it raises LeaseLost if the token is not valid."""

    def reserve(self, app: str, grants: tuple[Grant, ...], fence: Fence) -> None:
        """Reserves the parts for an app before they are made; raises ServiceTaken for one of another app."""

    def keep(self, app: str, credentials: Mapping[str, Secret], fence: Fence) -> tuple[Sealed, ...]:
        """Seals and keeps credentials, each as the next version of a secret; returns all secrets of the app."""

    def made(self, app: str, grant: Grant, fence: Fence) -> None:
        """Notes that the parts exist."""

    def reserve_snapshot(self, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
        """Returns the snapshot that the job takes, whose row is written first; the same one for a job taken over."""

    def snapshot_taken(self, snapshot: int, size: int, fence: Fence) -> None:
        """Notes that the file of a snapshot is whole."""

    def spent_snapshots(self, app: str, retain: int) -> tuple[Snapshot, ...]:
        """Returns the snapshots of deploys that are older than the newest `retain` ones."""

    def snapshots_of(self, app: str) -> tuple[Snapshot, ...]:
        """Lists the snapshots of an app."""

    def forget_snapshot(self, snapshot: int, fence: Fence) -> None:
        """Removes the row of a snapshot whose file is gone."""

    def of_app(self, app: str) -> tuple[GrantedPart, ...]:
        """Lists the parts that the app has, including those that its spec no longer names."""

    def unshared(self, app: str, kind: ServiceKind) -> tuple[str, ...]:
        """Returns the app's parts of this kind that no other app has."""

    def forget(self, app: str, grant: Grant, fence: Fence) -> None:
        """Removes the record of parts that are gone, and retires the credential for them."""
