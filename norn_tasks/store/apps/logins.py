"""Logins for private repositories: a user name, and a token that is encrypted so that only workers can read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.pushes.repository import login_name_of
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import value
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import LoginRow


@dataclass(frozen=True)
class RepositoryLogin:
    """A login without its token."""

    id: int
    repository: str
    username: str
    set_by: str
    at: datetime


@dataclass(frozen=True)
class SealedLogin:
    """A login with its encrypted token, as a worker gets it."""

    username: str
    sealed: bytes


def listed(tx: Tx) -> tuple[RepositoryLogin, ...]:
    """Lists the logins by repository."""
    r = LoginRow
    rows = tx.execute(select(r.id, r.repository, r.username, r.set_by, r.at).order_by(r.repository))
    return tuple(value(RepositoryLogin, row) for row in rows)


def sealed_of(tx: Tx, url: str) -> SealedLogin | None:
    """Returns the login of the repository at an address; None if it has none."""
    r = LoginRow
    row = tx.execute(select(r.username, r.sealed).where(r.repository == login_name_of(url))).first()
    return None if row is None else value(SealedLogin, row)


def put(tx: Tx, url: str, username: str, sealed: bytes, *, actor: str) -> int:
    """Sets the login of a repository; returns its id."""
    values = {"repository": login_name_of(url), "username": username, "sealed": sealed, "set_by": actor}
    changed = insert(LoginRow).values(values).on_conflict_do_update(
        index_elements=[LoginRow.repository],
        set_={"username": username, "sealed": sealed, "set_by": actor, "at": NOW},
    )  # fmt: skip
    return int(tx.execute(changed.returning(LoginRow.id)).scalar_one())


def remove(tx: Tx, login: int) -> None:
    """Removes a login; raises NotFound."""
    if tx.scalar(delete(LoginRow).where(LoginRow.id == login).returning(LoginRow.id)) is None:
        raise NotFound(f"there is no login {login}", hint="norn repo list")
