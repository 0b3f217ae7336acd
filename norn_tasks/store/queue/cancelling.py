"""Cancels one job: immediately if it waits; if it runs, by asking it to stop."""

from __future__ import annotations

from sqlalchemy import select

from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue import endings, jobs
from norn_tasks.store.tables import JobRow


def cancel(tx: Tx, job: int, actor: str) -> Row:
    """Cancels a queued job immediately, and asks a running one to stop; returns its row as it was before.

    A queued job with a container that may still run is asked to stop too; it ends when a worker has removed the
    container. An ended job is not changed. Raises NotFound if there is no such job.
    """
    row = tx.execute(select(JobRow).where(JobRow.id == job).with_for_update()).mappings().one_or_none()
    if row is None:
        return jobs.get(tx, job)
    if row["state"] == "queued" and not (row["adopt"] and row["container"]):
        endings.end(tx, row, JobState.CANCELLED, Problem("cancelled", f"cancelled by {actor}"))
    else:
        endings.request_cancel(tx, row, actor)
    return row
