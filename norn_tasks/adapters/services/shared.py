"""The services that apps share, on four kinds of servers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.services import counting, postgres, restoring, storage, valkey
from norn_tasks.adapters.services.dumps import BackupUnusable, Dumps
from norn_tasks.adapters.services.server import Server
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import (
    Dump,
    Grant,
    SeenDatabase,
    ServiceKind,
    Snapshot,
    credential,
    difference,
    password_in,
    role_of,
)
from norn_tasks.ports import Stop, Watch

T = TypeVar("T")
_PASSWORD_BYTES = 24


class SharedServers:
    """Implements `ports.SharedServices` for the control plane `instance`."""

    def __init__(self, servers: Mapping[ServiceKind, Server], instance: str, dumps: Dumps) -> None:
        self._servers, self._instance, self._dumps = servers, instance, dumps

    def credential(
        self, app: str, grant: Grant, known: Secret | None, stop: Stop, *, apart: bool, present: Secret | None = None
    ) -> Secret:
        """Returns the URL with which the app reaches its part of a server. It contains the password or key of `known`,
        if that is still valid, and otherwise a new one. The key in `present` stays valid, because containers use it.
        """
        role = role_of(app, grant.kind, self._instance)
        access = self._servers[grant.kind].access(stop, apart=apart)
        if grant.kind is ServiceKind.STORAGE:
            key = _promptly(lambda: storage.keep_key(access.url, role, _key(known), _key(present)), stop)
            return credential(access.scheme, key.id, key.secret, access.seen, grant.names[0], access.query)
        password = password_in(known, role) if known is not None else None
        password = password or Secret(secrets.token_urlsafe(_PASSWORD_BYTES))
        path = grant.names[0] if grant.kind is ServiceKind.POSTGRES else ""
        return credential(access.scheme, role, password, access.seen, path, access.query)

    def require(self, kind: ServiceKind, stop: Stop) -> None:
        """Raises ServiceDown if the server does not answer, and StepFailed if it refuses Norn's user."""
        url = self._url(kind, stop)
        ask = {ServiceKind.POSTGRES: postgres.require, ServiceKind.STORAGE: storage.require}.get(kind, valkey.require)
        _promptly(lambda: ask(url), stop)

    def make(self, app: str, grant: Grant, credential: Secret, stop: Stop) -> None:
        """Creates the app's parts of a server, and lets the credential use them."""
        role, url = role_of(app, grant.kind, self._instance), self._url(grant.kind, stop)
        if grant.kind is ServiceKind.STORAGE:
            key = _key(credential)
            assert key is not None, "a credential without a key"
            return _promptly(lambda: storage.make(url, role, key, grant.names), stop)
        password = password_in(credential, role)
        assert password is not None, "a credential of another role"
        work = {
            ServiceKind.POSTGRES: lambda: postgres.make(url, role, password, grant.names),
            ServiceKind.KV: lambda: valkey.allow_keys(url, role, password, grant.names),
            ServiceKind.EVENTS: lambda: valkey.allow_topics(url, role, password, grant.names),
        }
        return _promptly(work[grant.kind], stop)

    def dump(self, database: str, file: str, watch: Watch) -> Dump:
        """Writes and checks a dump; returns its size and its row counts."""
        return self._dumps.take(self._url(ServiceKind.POSTGRES, watch.stop), database, file, watch)

    def restore(self, snapshot: Snapshot, credential: Secret, confirm: Callable[[], None], watch: Watch) -> bool:
        """Replaces a database with the data of a snapshot of it; returns False if this job has already done so."""
        url, fence = self._url(ServiceKind.POSTGRES, watch.stop), watch.fence
        if not self._fill(url, snapshot, credential, watch):
            return False
        restoring.put_in_place(url, snapshot.database, fence, confirm)
        return True

    def drill(self, snapshot: Snapshot, credential: Secret, watch: Watch) -> None:
        """Restores a snapshot into a temporary database, to prove that the snapshot is usable; raises BackupUnusable if
        not.
        """
        url = self._url(ServiceKind.POSTGRES, watch.stop)
        try:
            self._fill(url, snapshot, credential, watch)
        finally:
            restoring.discard(url, self._role(snapshot.app), watch.fence)

    def tidy(self, app: str, stop: Stop) -> None:
        """Drops the databases left behind by restores and drills of the app."""
        url = self._url(ServiceKind.POSTGRES, stop)
        _promptly(lambda: restoring.tidy(url, self._role(app)), stop)

    def databases(self, names: tuple[str, ...], stop: Stop) -> tuple[SeenDatabase, ...]:
        """Returns the size and the number of connections of each database that exists."""
        url = self._url(ServiceKind.POSTGRES, stop)
        return _promptly(lambda: postgres.seen(url, names), stop)

    def _fill(self, url: str, snapshot: Snapshot, credential: Secret, watch: Watch) -> bool:
        """Restores a snapshot into a scratch database with the app's role, and compares the row counts. Returns False
        if this job has already replaced the database; raises BackupUnusable if the counts differ.

        A restore may run functions of the app, and these must not get the rights of the workers' role.
        """
        role = self._role(snapshot.app)
        if not _promptly(lambda: restoring.begin(url, role, watch.fence), watch.stop):
            return False
        scratch, password = restoring.scratch_name(watch.fence), password_in(credential, role)
        assert password is not None, "a credential of another role"
        with restoring.spare_connections(url, role):
            self._dumps.restore(restoring.as_role(url, role, password, scratch), snapshot.file, watch)
        found = counting.rows_of(restoring.to(url, scratch), watch.stop)
        wrong = difference(snapshot.counts, found) if snapshot.counts is not None else ""
        if wrong:
            raise BackupUnusable(
                f"snapshot {snapshot.id} of {snapshot.database} was restored, and {wrong}",
                hint="norn db snapshots lists others; the database is as it was",
            )
        return True

    def _role(self, app: str) -> str:
        return role_of(app, ServiceKind.POSTGRES, self._instance)

    def drop_dump(self, file: str) -> bool:
        """Removes a dump; returns False if it does not exist."""
        return self._dumps.remove(file)

    def remove(self, app: str, grant: Grant, stop: Stop, *, last: bool) -> None:
        """Removes the app's parts of a server, with their data."""
        role, url = role_of(app, grant.kind, self._instance), self._url(grant.kind, stop)
        work = {
            ServiceKind.POSTGRES: lambda: postgres.remove(url, role, grant.names, last=last),
            ServiceKind.KV: lambda: valkey.remove_keys(url, role, grant.names, last=last),
            ServiceKind.EVENTS: lambda: valkey.remove_topics(url, role, grant.names, last=last),
            ServiceKind.STORAGE: lambda: storage.remove(url, role, grant.names, last=last),
        }
        _promptly(work[grant.kind], stop)

    def _url(self, kind: ServiceKind, stop: Stop) -> str:
        return self._servers[kind].access(stop).url


def _key(credential: Secret | None) -> storage.AccessKey | None:
    """Returns the access key in a credential for a bucket; None without one."""
    parts = urlsplit(credential.reveal()) if credential is not None else None
    if parts is None or not parts.username or not parts.password:
        return None
    return storage.AccessKey(unquote(parts.username), Secret(unquote(parts.password)))


def _promptly(work: Callable[[], T], stop: Stop) -> T:
    """Returns the result of `work`. Raises Stopped if the stop is set first; the work then continues in the background,
    which is harmless.
    """
    return timeouts.wait(timeouts.begin(work), stop)
