"""Accepting runs: the job and the execution of a cron run, a call or a one-off, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text

from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import CronRunJobRequest, InvokeJobRequest, RunJobRequest
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue import slots
from norn_tasks.store.queue.jobs import NewJob, accept
from norn_tasks.store.tables import CronExecutionRow, FunctionExecutionRow, OneOffRow, PayloadRow


@dataclass(frozen=True)
class AcceptedRun:
    """The ids of a run that was accepted."""

    job: int
    execution: int


def _accept(tx: Tx, new: NewJob, release: Row | Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    execution = int(tx.scalar(text("SELECT nextval('executions')")) or 0)
    job = accept(tx, replace(new, execution=execution))
    common = {
        "id": execution, "app": new.app, "job_id": job, "release": release["n"], "image_id": release["image_id"],
        "actor": new.actor,
    }  # fmt: skip
    return job, common


def runs_allowed(spec: Mapping[str, Any]) -> int:
    """Returns how often the code of a run may begin: once, and `retries.max` times more."""
    return 1 + int(spec["retries"]["max"])


def accept_cron_run(
    tx: Tx,
    release: Mapping[str, Any],
    *,
    trigger: RunTrigger,
    scheduled_for: datetime | None,
    actor: str,
    patience: float,
) -> AcceptedRun:
    """Accepts a run of the cron app whose live release this is."""
    new = NewJob(
        CronRunJobRequest(trigger), app=release["app"], actor=actor, patience=patience, spec=release["spec"],
        engine=release["engine"], release=release["n"],
        max_runs=runs_allowed(release["spec"]),
    )  # fmt: skip
    job, common = _accept(tx, new, release)
    planned = scheduled_for or text("clock_timestamp()")
    tx.execute(
        insert(CronExecutionRow).values(**common, trigger=str(trigger), scheduled_for=scheduled_for, planned_at=planned)
    )
    return AcceptedRun(job, common["id"])


def accept_oneoff(tx: Tx, release: Row, request: RunJobRequest, *, actor: str, patience: float) -> AcceptedRun:
    """Accepts a command to run in the live release's image, in a slot of its own: it waits for no schedule."""
    new = NewJob(
        request, app=release["app"], actor=actor, patience=patience, spec=release["spec"],
        engine=release["engine"], release=release["n"],
    )  # fmt: skip
    job, common = _accept(tx, new, release)
    tx.execute(insert(OneOffRow).values(**common, command=list(request.command), timeout=request.timeout))
    slots.hold_extra(tx, JobClass.CRON, release["app"], job)
    return AcceptedRun(job, common["id"])


def accept_call(
    tx: Tx, release: Row, call: Call, *, sync: bool, actor: str, patience: float, record: str = "full"
) -> AcceptedRun:
    """Accepts a call of the function whose release this is; its body is kept in this transaction.

    `record` says what stays of its bytes once the answer was taken.
    """
    new = NewJob(
        InvokeJobRequest(), app=release["app"], actor=actor, patience=patience, spec=release["spec"],
        engine=release["engine"], release=release["n"], sync=sync,
        max_runs=1 if sync else runs_allowed(release["spec"]),
    )  # fmt: skip
    job, common = _accept(tx, new, release)
    tx.execute(
        insert(FunctionExecutionRow).values(
            **common, sync=sync, method=call.method, path=call.path, query=call.query, headers=dict(call.headers),
            content_type=call.content_type, request_size=len(call.body), record=record,
        )
    )  # fmt: skip
    tx.execute(insert(PayloadRow).values(execution=common["id"], request=call.body))
    return AcceptedRun(job, common["id"])
