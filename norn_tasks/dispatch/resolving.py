"""Accepts a person's decision about a job that stopped in a step that must not be repeated."""

from __future__ import annotations

from norn_tasks.dispatch.intake import Accepted, Intake, accept
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.step import Resolution
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.apps import enrolment
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import attention, jobs


def request_resolve(
    intake: Intake, job: int, resolution: Resolution, *, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Stores the decision, and accepts a job that continues the stopped one. If the decision abandons the job, returns
    the stopped job itself.

    Raises NotFound, and Conflict for a job that needs no attention.
    """

    def write(tx: Tx) -> Accepted:
        found = jobs.get(tx, job)
        if found["attention"] == attention.OPEN:  # other jobs may have no app, or an app that was removed
            enrolment.locked(tx, found["app"])
        row = attention.locked(tx, job)
        attention.answer(tx, row, resolution, actor)
        if resolution is Resolution.ABANDON:
            return Accepted(job, row["deployment"])
        return Accepted(attention.go_on(tx, row, actor, intake.settings.job_patience), row["deployment"])

    return accept(intake, JobClass.DEPLOY, key, write)
