"""Sentences about jobs that did not end by themselves: they were asked to stop, were replaced, or did not begin in
time.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.job import JobKind, JobState, Problem
from norn_tasks.domain.quantities import duration_text
from norn_tasks.store.database.session import Row

SCHEDULE = "schedule"
"""The actor that asks a run to stop because the next occurrence takes its place."""
_REPLACED = "the next occurrence took its place (concurrency: replace)"
_REPLACED_EARLY = "the next occurrence took its place: the worker did not respond, and had not begun the run"
_LOST = "worker_lost"


def asked_to(row: Row, state: JobState, problem: Problem | None) -> tuple[JobState, Problem | None]:
    """Returns the state and the problem with which a job ends: cancelled if it was asked to stop, even if its worker
    died.
    """
    lost = problem is not None and problem.code == _LOST
    if row["cancel_requested_at"] is None or not (lost or state is JobState.CANCELLED):
        return state, problem
    return JobState.CANCELLED, Problem("cancelled", _cancelled(row))


def replaced_early(row: Row) -> bool:
    """Returns True for a cron run that the next occurrence replaced before its code began."""
    return row["kind"] == JobKind.CRON_RUN and row["cancel_by"] == SCHEDULE and row["begun_at"] is None


def _cancelled(row: Row) -> str:
    by_schedule = row["kind"] == JobKind.CRON_RUN and row["cancel_by"] == SCHEDULE
    if by_schedule:
        return _REPLACED_EARLY if row["begun_at"] is None else _REPLACED
    ran = row["begun_at"] is not None or (row["execution"] is None and row["state"] == "running")
    return f"cancelled by {row['cancel_by'] or 'norn'}{' while it ran' if ran else ''}"


def not_begun(row: Row, missing: str) -> str:
    """Returns why a job expired; `missing` is the part of the sentence that names the missing thing, such as a free
    worker.
    """
    limit = (row["spec"] or {}).get("startDeadline") if row["kind"] == JobKind.CRON_RUN else None
    if limit is None or row["begun_at"] is not None:
        return f"waited {(row['deadline'] - row['created_at']).total_seconds():.0f} s, and {missing}"
    late = (row["created_at"] - row["run_after"]).total_seconds()
    undecided = f"no scheduler decided about it for {late:.0f} s, and then " if late >= 1 else ""
    return f"it could not begin within its startDeadline of {duration_text(limit)}: {undecided}{missing}"
