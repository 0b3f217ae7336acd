"""Secrets as rows. The values are encrypted, and only workers that claim a job of the app get them.

A replaced or unset value is kept, encrypted, as long as a container may still have it, so that it stays hidden in logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, text, update

from norn_tasks.domain.errors import Conflict, InvalidRequest, NotFound
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import OPEN
from norn_tasks.domain.secret import ALL_MAX, MOST, Sealed
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.rules.lists import LONG_RUNNING_ROLES, OPEN_STATES
from norn_tasks.store.tables import DestinationRow, InstanceRow, JobRow, LoginRow, SecretRow


@dataclass(frozen=True)
class SecretView:
    """A secret that is set, without its value."""

    name: str
    version: int
    set_by: str
    at: datetime


NEW_START = "its next start writes it: norn down, then norn up; or docker-compose up -d (docs/secrets.md)"


def recipient(tx: Tx) -> str:
    """Returns the public key for which secrets are encrypted; raises Conflict if the server has none yet.

    The key stays the same until the transaction ends. A rotation of the key waits until then, and so finds every value
    that was encrypted for the old key.
    """
    found = tx.scalar(select(InstanceRow.age_recipient).with_for_update(read=True))
    if found is None:
        raise Conflict("this server has no key for secrets yet", hint=NEW_START)
    return str(found)


def known_recipient(tx: Tx) -> str | None:
    """Returns the public key; None if there is none yet."""
    return tx.scalar(select(InstanceRow.age_recipient))


def remember_recipient(tx: Tx, public: str) -> None:
    """Stores the public key for which secrets are encrypted from now on."""
    tx.execute(update(InstanceRow).values(age_recipient=public))


def any_sealed(tx: Tx) -> int:
    """Counts the secrets that are set: secrets of apps, keys that sign notifications, and tokens for repositories."""
    of_apps = tx.scalar(select(func.count()).where(SecretRow.retired_at.is_(None)))
    signing = tx.scalar(select(func.count()).where(DestinationRow.sealed.is_not(None)))
    tokens = tx.scalar(select(func.count()).select_from(LoginRow))
    return int(of_apps or 0) + int(signing or 0) + int(tokens or 0)


def listed(tx: Tx, app: str) -> tuple[SecretView, ...]:
    """Lists the secrets that are set, by name."""
    s = SecretRow
    rows = tx.execute(
        select(s.name, s.version, s.set_by, s.at).where(s.app == app, s.retired_at.is_(None)).order_by(s.name)
    )
    return tuple(SecretView(row.name, row.version, row.set_by, row.at) for row in rows)


def sealed_of(tx: Tx, app: str) -> tuple[Sealed, ...]:
    """Returns all encrypted values of the app, including replaced ones that a container may still have."""
    rows = run(tx, _SEALED, {"app": app})
    return tuple(Sealed(row.name, row.version, bytes(row.sealed), row.retired_at is None) for row in rows)


_SEALED = Prepared("SELECT name, version, sealed, retired_at FROM secrets WHERE app = :app ORDER BY name, version")


def put(tx: Tx, app: str, values: Mapping[str, bytes], *, actor: str) -> dict[str, int]:
    """Sets secrets, each as its next version, and returns the versions; raises InvalidRequest if the app would exceed
    its limits.
    """
    _alone(tx, app)
    _forget_unused(tx, app)
    versions = {}
    for name, sealed in sorted(values.items()):
        _retire(tx, app, name)
        latest = tx.scalar(select(func.max(SecretRow.version)).where(SecretRow.app == app, SecretRow.name == name))
        versions[name] = (latest or 0) + 1
        row = {"app": app, "name": name, "sealed": sealed, "version": versions[name], "set_by": actor}
        tx.execute(insert(SecretRow).values(row))
    _refuse_too_many(tx, app)
    publish(tx, EventKind.SECRET_SET, app=app, names=list(versions), actor=actor)
    return versions


def unset(tx: Tx, app: str, name: str, *, actor: str) -> None:
    """Unsets a secret; raises NotFound when it is not set."""
    _alone(tx, app)
    _forget_unused(tx, app)
    if not _retire(tx, app, name):
        raise NotFound(f"{app} has no secret {name[:128]}", hint=f"norn secrets list {app}")
    publish(tx, EventKind.SECRET_UNSET, app=app, names=[name], actor=actor)


def forget(tx: Tx, app: str) -> None:
    """Deletes all secrets of the app, so that a later app of the same name begins without any."""
    tx.execute(delete(SecretRow).where(SecretRow.app == app))


def forget_retired(tx: Tx, app: str) -> None:
    """Deletes, at the end of a rollout, values that were replaced or unset before any open job of the app was first
    claimed.

    All replicas then belong to that rollout, and each container of a run or a call belongs to one of these jobs, so no
    container can still have such a value.
    """
    begun = select(func.min(JobRow.first_claimed_at)).where(JobRow.app == app, JobRow.state.in_(OPEN))
    tx.execute(delete(SecretRow).where(SecretRow.app == app, SecretRow.retired_at < begun.scalar_subquery()))


_UNUSED = text(f"""
DELETE FROM secrets WHERE app = :app AND retired_at < coalesce(
  (SELECT min(first_claimed_at) FROM jobs WHERE app = :app AND state IN {OPEN_STATES}), clock_timestamp())
   AND EXISTS (SELECT 1 FROM apps a WHERE a.name = :app AND a.role NOT IN {LONG_RUNNING_ROLES})""")  # noqa: S608 - built from constants


def _forget_unused(tx: Tx, app: str) -> None:
    """Deletes values that were replaced or unset before any open job of the app was first claimed, if the app's role
    has no replicas.

    Such an app may never have a rollout, and each of its containers belongs to one of these jobs.
    """
    tx.execute(_UNUSED, {"app": app})


def _alone(tx: Tx, app: str) -> None:
    """Makes changes of an app's secrets wait for each other; an app of a directory may have no row to lock."""
    tx.execute(select(text("pg_advisory_xact_lock(hashtext('norn-secrets'), hashtext(:app))")).params(app=app))


def _retire(tx: Tx, app: str, name: str) -> bool:
    current = (SecretRow.app == app, SecretRow.name == name, SecretRow.retired_at.is_(None))
    if not tx.scalar(select(exists().where(*current))):
        return False
    tx.execute(update(SecretRow).where(*current).values(retired_at=NOW))
    return True


def _refuse_too_many(tx: Tx, app: str) -> None:
    count, size = tx.execute(
        select(func.count(), func.coalesce(func.sum(func.length(SecretRow.sealed)), 0)).where(
            SecretRow.app == app, SecretRow.retired_at.is_(None)
        )
    ).one()
    if count > MOST:
        raise InvalidRequest(f"{app} would have {count} secrets, and {MOST} is the most", hint="unset some first")
    if size > ALL_MAX:
        sentence = f"the secrets of {app} would have {size} bytes together, and {ALL_MAX} is the most"
        raise InvalidRequest(sentence, hint="keep large files elsewhere, and the keys to them here")
