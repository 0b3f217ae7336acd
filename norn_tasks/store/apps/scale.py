"""The scale override: a number of replicas that replaces the number in the infraspec, as rows and jobs store it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text, update

from norn_tasks.domain.jobs.requests import Override
from norn_tasks.domain.jobs.scale import wanted_replicas
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.rules import wanted
from norn_tasks.store.tables import AppRow

_WANTED = text(f"""
SELECT a.name, {wanted.BY_APP} AS wanted FROM apps a LEFT JOIN live_releases l ON l.app = a.name
 WHERE a.name = ANY(:apps)""")  # noqa: S608 - built from a constant


def wanted_by(tx: Tx, apps: Sequence[str]) -> dict[str, int]:
    """Returns how many replicas each of these apps should have, no matter what its role is; an app without a row is
    left out.
    """
    return {row.name: row.wanted for row in tx.execute(_WANTED, {"apps": list(apps)})}


def wanted_of(app: Row, in_spec: int) -> int:
    """Returns how many replicas the app of this row should have if the infraspec of its live release says `in_spec`."""
    return wanted_replicas(in_spec, app["replicas_override"], app["override_spec"])


def override_of(app: Row) -> Override | None:
    """Returns the app's scale override in the form that a job stores; None if the app has none."""
    if app["replicas_override"] is None:
        return None
    return Override(app["replicas_override"], app["override_spec"])


def set_override(tx: Tx, app: str, replicas: int | None, spec_replicas: int, actor: str) -> Override | None:
    """Stores the app's scale override, or deletes it if `replicas` is None; returns it in the form that a job
    stores.
    """
    values: dict[str, Any] = dict.fromkeys(("replicas_override", "override_spec", "override_by", "override_at"))
    if replicas is not None:
        values = {
            "replicas_override": replicas, "override_spec": spec_replicas, "override_by": actor,
            "override_at": text("clock_timestamp()"),
        }  # fmt: skip
    tx.execute(update(AppRow).where(AppRow.name == app).values(values))
    return None if replicas is None else Override(replicas, spec_replicas)
