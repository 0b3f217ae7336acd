"""The audit: one row for each request that changes something, accepted or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import Cut, Page, equal, newest_first
from norn_tasks.store.database.session import Tx


@dataclass(frozen=True)
class AuditEntry:
    """One request that changes something, and the HTTP status of its response."""

    id: int
    at: datetime
    actor: str
    method: str
    path: str
    app: str | None
    status: int
    about: str


def record(tx: Tx, *, actor: str, method: str, path: str, app: str | None, status: int, about: str = "") -> None:
    """Writes the row of one request."""
    tx.execute(insert(t.AuditRow).values(actor=actor, method=method, path=path, app=app, status=status, about=about))


def listed(tx: Tx, *, app: str | None = None, actor: str | None = None, cut: Cut) -> Page[AuditEntry]:
    """Lists the entries, newest first."""
    a = t.AuditRow
    query = select(a.id, a.at, a.actor, a.method, a.path, a.app, a.status, a.about)
    return newest_first(tx, query.where(*equal(app=(a.app, app), actor=(a.actor, actor))), a.id, AuditEntry, cut)
