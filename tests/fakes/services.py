"""Shared services in memory: the databases and keys that were made, for which app, and with which credential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from norn_tasks.domain.errors import ServiceDown
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import (
    Dump,
    Grant,
    SeenDatabase,
    ServiceKind,
    Snapshot,
    credential,
    password_in,
    role_of,
)
from norn_tasks.ports import Stop, Watch


@dataclass
class FakeServices:
    """A fake of `ports.SharedServices`."""

    made: dict[tuple[str, ServiceKind], set[str]] = field(default_factory=dict)
    credentials: dict[tuple[str, ServiceKind], str] = field(default_factory=dict)
    granted: dict[tuple[str, ServiceKind], tuple[str, ...]] = field(default_factory=dict)
    dumps: dict[str, str] = field(default_factory=dict)
    restored: dict[int, int] = field(default_factory=dict)
    passwords: int = 0
    away: bool = False
    fails: BaseException | None = None

    def credential(
        self, app: str, grant: Grant, known: Secret | None, stop: Stop, *, apart: bool, present: Secret | None = None
    ) -> Secret:
        """Returns the URL of a server that does not exist."""
        role = role_of(app, grant.kind, "fake01")
        password = password_in(known, role) if known is not None else None
        if password is None:
            self.passwords += 1
            password = Secret(f"password-number-{self.passwords}")
        return credential("fake", role, password, "norn-services:1", grant.names[0])

    def require(self, kind: ServiceKind, stop: Stop) -> None:
        """Raises ServiceDown while the servers are `away`."""
        if self.away:
            raise ServiceDown("the servers do not answer")

    def make(self, app: str, grant: Grant, credential: Secret, stop: Stop) -> None:
        """Records the granted parts and their credential; raises the exception that the test has set in `fails`."""
        if self.fails is not None:
            raise self.fails
        self.granted[app, grant.kind] = grant.names
        self.made.setdefault((app, grant.kind), set()).update(grant.names)
        self.credentials[app, grant.kind] = credential.reveal()

    def dump(self, database: str, file: str, watch: Watch) -> Dump:
        """Records the dump; raises ConnectionError while `away` is set."""
        if self.away:
            raise ConnectionError
        self.dumps[file] = database
        return Dump(1024, {"public.orders": 3})

    def restore(self, snapshot: Snapshot, credential: Secret, confirm: Callable[[], None], watch: Watch) -> bool:
        """Records the restore; returns False if the same job has done it before."""
        if self.fails is not None:
            raise self.fails
        confirm()
        if watch.fence.job in self.restored:
            return False
        self.restored[watch.fence.job] = snapshot.id
        return True

    def drill(self, snapshot: Snapshot, credential: Secret, watch: Watch) -> None:
        """Does nothing; raises if the test has set `fails`."""
        if self.fails is not None:
            raise self.fails

    def tidy(self, app: str, stop: Stop) -> None:
        """Does nothing: the fake leaves no remains."""

    def databases(self, names: tuple[str, ...], stop: Stop) -> tuple[SeenDatabase, ...]:
        """Returns the same size for all databases."""
        self.require(ServiceKind.POSTGRES, stop)
        return tuple(SeenDatabase(name, 8_000_000, 2) for name in names)

    def drop_dump(self, file: str) -> bool:
        """Forgets the dump; returns False if there is none."""
        return self.dumps.pop(file, None) is not None

    def remove(self, app: str, grant: Grant, stop: Stop, *, last: bool) -> None:
        """Forgets the parts that were granted to the app."""
        self.made.get((app, grant.kind), set()).difference_update(grant.names)
