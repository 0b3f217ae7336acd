"""Accepts runs: the job and the execution of a cron run, a call or a one-off, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text

from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import CronRunJobRequest, InvokeJobRequest, RunJobRequest
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.database import prepared
from norn_tasks.store.database.session import EVENTS, Row, Tx
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.queue import slots
from norn_tasks.store.queue.jobs import NewJob, accept, accepting, values_of
from norn_tasks.store.tables import CronExecutionRow, OneOffRow


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
    """Returns how often the code of a run may begin: once, and then `retries.max` more times."""
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
    """Accepts a run of the cron app whose live release is `release`."""
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


def accept_oneoff(
    tx: Tx, release: Row, request: RunJobRequest, *, actor: str, patience: float, cluster: str | None = None
) -> AcceptedRun:
    """Accepts a command to run in the live release's image; it has a slot of its own, so it waits for no scheduled run.

    `cluster`: the cluster on which it runs; None if it runs on an engine.
    """
    new = NewJob(
        request, app=release["app"], actor=actor, patience=patience, spec=release["spec"],
        engine=release["engine"], cluster=cluster, release=release["n"],
    )  # fmt: skip
    job, common = _accept(tx, new, release)
    tx.execute(insert(OneOffRow).values(**common, command=list(request.command), timeout=request.timeout))
    slots.hold_extra(tx, JobClass.CRON, release["app"], job)
    return AcceptedRun(job, common["id"])


def accept_call(
    tx: Tx, release: Row, call: Call, *, sync: bool, actor: str, patience: float, record: str = "full",
    stream: bool = False,
) -> AcceptedRun:  # fmt: skip
    """Accepts a call of the function that `release` belongs to; the transaction also stores the body of the call.

    `record` says which bytes of the call are kept after the answer was read. `stream`: the client reads the output
    while the code runs.
    """
    new = NewJob(
        InvokeJobRequest(stream or None), app=release["app"], actor=actor, patience=patience, spec=release["spec"],
        engine=release["engine"], release=release["n"], sync=sync,
        max_runs=1 if sync else runs_allowed(release["spec"]),
    )  # fmt: skip
    values = {
        **values_of(new), "image_id": release["image_id"], "method": call.method, "path": call.path,
        "query": call.query, "headers": json.dumps(dict(call.headers)), "content_type": call.content_type,
        "body": call.body, "size": len(call.body), "record": record,
    }  # fmt: skip
    run = prepared.run(tx, _ACCEPT_CALL, values).one()
    notify(tx, EVENTS, str(run.id))
    return AcceptedRun(run.id, run.execution)


_ACCEPT_CALL = prepared.Prepared(f"""
{accepting("nextval('executions')")},
run AS (
  INSERT INTO func_executions(id, app, job_id, release, image_id, actor, sync, method, path, query, headers,
                              content_type, request_size, record)
  SELECT execution, app, id, release, :image_id, actor, sync, :method, :path, :query, CAST(:headers AS jsonb),
         :content_type, CAST(:size AS bigint), :record FROM new),
bytes AS (INSERT INTO execution_io(execution, request) SELECT execution, CAST(:body AS bytea) FROM new)
SELECT id, execution FROM new""")  # noqa: S608 - built from constants
