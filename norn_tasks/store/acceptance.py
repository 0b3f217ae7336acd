"""What an acceptance reads and writes about the app itself: enrolling it as a row, locking it, its scale override."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import AlreadyRunning, NotForged
from norn_tasks.domain.infraspec import Concurrency
from norn_tasks.domain.job import JobKind, JobState, Problem
from norn_tasks.store import endings, jobs, overlap, schedules
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, JobRow


def enrol(tx: Tx, name: str, spec: Mapping[str, Any], origin: str | None) -> Row:
    """Answers the app's row, locked until the end of the transaction; an app of a directory gets or renews its row."""
    if origin is not None:
        values = {"role": spec["role"], "spec": dict(spec), "source": "directory", "origin": origin}
        tx.execute(
            insert(App)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_={**values, "updated_at": text("clock_timestamp()")})
        )
    return tx.execute(select(App).where(App.name == name).with_for_update()).mappings().one()


def require_forged(tx: Tx, app: Row) -> None:
    """Raises NotForged unless the app is forged, or a forge of it is accepted and not ended."""
    if app["forge_state"] == "forged":
        return
    coming = select(JobRow.id).where(
        JobRow.app == app["name"], JobRow.kind == str(JobKind.FORGE), JobRow.state.in_(("queued", "running"))
    )
    if tx.execute(coming.limit(1)).one_or_none() is None:
        failed = app["forge_state"] == "forge_failed"
        what = "could not be forged" if failed else "has no infrastructure yet"
        raise NotForged(f"{app['name']} {what}", hint=f"norn forge {app['name']}")


def override_of(app: Row) -> dict[str, int] | None:
    """Answers the app's scale override as a job freezes it: so many replicas, while the spec says `spec`."""
    if app["replicas_override"] is None:
        return None
    return {"replicas": app["replicas_override"], "spec": app["override_spec"]}


def set_override(tx: Tx, app: str, replicas: int | None, spec_replicas: int, actor: str) -> dict[str, int] | None:
    """Stores or (None) clears the app's scale override, and answers it as a job freezes it."""
    values: dict[str, Any] = dict.fromkeys(("replicas_override", "override_spec", "override_by", "override_at"))
    if replicas is not None:
        values = {
            "replicas_override": replicas, "override_spec": spec_replicas, "override_by": actor,
            "override_at": text("clock_timestamp()"),
        }  # fmt: skip
    tx.execute(update(App).where(App.name == app).values(values))
    return None if replicas is None else {"replicas": replicas, "spec": spec_replicas}


def cancel(tx: Tx, job: int, actor: str) -> Row:
    """Cancels a queued job at once, asks a running one; answers its row as it was, ended ones untouched.

    A queued one whose container may still run is asked too: it ends when a worker has taken that away.
    """
    row = tx.execute(select(JobRow).where(JobRow.id == job).with_for_update()).mappings().one_or_none()
    if row is None:
        return jobs.get(tx, job)
    if row["state"] == "queued" and not (row["adopt"] and row["container"]):
        endings.end(tx, row, JobState.CANCELLED, Problem("cancelled", f"cancelled by {actor}"))
    else:
        endings.request_cancel(tx, row, actor)
    return row


def make_way(tx: Tx, app: str, concurrency: str, actor: str) -> None:
    """Lets a run by hand take its place beside what runs of the cron app, as its `concurrency` says.

    `forbid`: raises AlreadyRunning with what runs since when; `replace`: what runs is asked to stop. Beat decides
    nothing of the app meanwhile.
    """
    schedules.hold(tx, app)
    busy = overlap.of(tx, [app])[app]
    if concurrency == Concurrency.REPLACE:
        for row in busy.active:
            endings.request_cancel(tx, row, actor)
    there = [*busy.active, *busy.waiting, *busy.by_hand]
    if concurrency != Concurrency.FORBID or not there:
        return
    row = there[0]
    since = f"runs since {row['begun_at']:%Y-%m-%d %H:%M:%S} UTC" if row["begun_at"] else "waits to begin"
    raise AlreadyRunning(
        f"run {row['execution']} of {app} {since}, and its concurrency is forbid",
        hint=f"wait for it, or norn cron run {app} --force",
        execution=row["execution"],
    )
