"""The history of an app's infraspec: each version that was applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import Cut, Page, newest_first
from norn_tasks.store.database.session import Tx


@dataclass(frozen=True)
class AppliedSpec:
    """One version of an infraspec, as it was written."""

    version: int
    spec: dict[str, Any]
    actor: str
    at: datetime


def applied(tx: Tx, app: str, cut: Cut) -> Page[AppliedSpec]:
    """Returns the versions of an app's infraspec, newest first; none if the app comes from a directory."""
    s = t.AppSpecRow
    query = select(s.version, s.written.label("spec"), s.actor, s.at).where(s.app == app)
    return newest_first(tx, query, s.version, AppliedSpec, cut)
