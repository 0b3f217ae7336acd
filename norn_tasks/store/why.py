"""Why an app is not as it should be: everything that went wrong last, each with its sentence, last lines and way out.

What failed and was made good since is past, and told by the histories. A return is Norn's own doing: why it was needed
is told by the deployment before it, and that one says where the return went.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.domain.deployment import DeploymentKind, DeploymentState
from norn_tasks.domain.execution import ExecutionState
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.job import JobState
from norn_tasks.domain.schedule import Verdict
from norn_tasks.store import deployments, executions, step_logs
from norn_tasks.store import tables as t
from norn_tasks.store.apps_read import SeenApp
from norn_tasks.store.executions import Execution
from norn_tasks.store.reading import Cut
from norn_tasks.store.session import Tx

LINES = 20
_RAN = (Verdict.FIRED, Verdict.CAUGHT_UP)
_NO_MATTER = (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.SUPERSEDED)
_LIVED = (DeploymentState.DEPLOYED, DeploymentState.ROLLED_BACK)


@dataclass(frozen=True)
class Returned:
    """The deployment by which an app went back to what was live, and how that ended."""

    deployment: int
    release: int
    state: str


@dataclass(frozen=True)
class Reason:
    """One thing that went wrong. `kind`: a job's kind, `occurrence`, `run` or `call`; `step`: where in the job.

    `last_lines` are what it wrote last, kept after its container is gone.
    """

    kind: str
    state: str
    at: datetime | None
    code: str
    sentence: str
    hint: str
    step: str | None = None
    last_lines: tuple[str, ...] = ()
    job: int | None = None
    release: int | None = None
    deployment: int | None = None
    execution: int | None = None
    exit_code: int | None = None
    returned: Returned | None = None


def reasons(tx: Tx, app: SeenApp) -> tuple[Reason, ...]:
    """Answers what went wrong last with an app, the latest first."""
    found = [*_deployment(tx, app), *_change(tx, app.name)]
    if app.role is Role.CRON:
        found += [*_occurrence(app), *_run(tx, app.name)]
    if app.role is Role.FUNCTION:
        found += _call(tx, app.name)
    return tuple(sorted(found, key=lambda reason: reason.at.timestamp() if reason.at else 0.0, reverse=True))


def _deployment(tx: Tx, app: SeenApp) -> Iterator[Reason]:
    """The newest try to make a release live that has ended, if it failed; a teardown puts an end to it."""
    d = t.DeploymentRow
    tried = (d.kind != str(DeploymentKind.RETURN), d.state != str(DeploymentState.SUPERSEDED), d.ended_at.is_not(None))
    newest = select(d).where(d.app == app.name, *tried).order_by(d.id.desc()).limit(1)
    row = tx.execute(newest).mappings().one_or_none()
    if row is None or row["state"] in _LIVED or app.forge_state is ForgeState.UNFORGED:
        return
    back = deployments.get(tx, row["returned_to"]) if row["returned_to"] is not None else None
    yield Reason(
        row["kind"], row["state"], row["ended_at"], **_told(row["error"], row["state"]), **_place(tx, row["job_id"]),
        job=row["job_id"], release=row["release"], deployment=row["id"],
        returned=Returned(back.id, back.release, back.state) if back is not None else None,
    )  # fmt: skip


def _change(tx: Tx, app: str) -> Iterator[Reason]:
    """The newest other change of the app, such as a forge, a scale or a repair, if it failed."""
    j = t.JobRow
    newest = select(j).where(j.app == app, j.exclusive, j.ended_at.is_not(None)).order_by(j.id.desc()).limit(1)
    row = tx.execute(newest).mappings().one_or_none()
    if row is None or row["deployment"] is not None or row["state"] in _NO_MATTER:
        return
    yield Reason(
        row["kind"], row["state"], row["ended_at"], **_told(row["error"], row["state"]), **_place(tx, row["id"]),
        job=row["id"], release=row["release"],
    )  # fmt: skip


def _told(error: dict[str, Any] | None, state: str) -> dict[str, Any]:
    found = error or {}
    sentence = str(found.get("sentence") or f"it ended {state}")
    return {"code": str(found.get("code") or state), "sentence": sentence, "hint": str(found.get("hint") or "")}


def _place(tx: Tx, job: int) -> dict[str, Any]:
    """The step at which a job failed, and what that wrote last."""
    s = t.StepRow
    step = tx.scalar(select(s.name).where(s.job_id == job, s.state == "failed").order_by(s.n.desc()).limit(1))
    return {"step": step, "last_lines": tuple(step_logs.tail(tx, job, step, LINES)) if step else ()}


def _occurrence(app: SeenApp) -> Iterator[Reason]:
    """The latest occurrence, if nothing ran because of it."""
    tick = app.tick
    if tick is None or tick.verdict is None or tick.verdict in _RAN:
        return
    many = f"; {tick.how_many} occurrences until {tick.until:%Y-%m-%d %H:%M} UTC" if tick.until else ""
    hints = {
        Verdict.SKIPPED_PAUSED: f"norn cron resume {app.name}",
        Verdict.SKIPPED_OVERLAP: "set concurrency: allow or replace in its infraspec.yaml, or make it quicker",
        Verdict.MISSED: f"norn cron run {app.name} makes up for it; catchup in its infraspec.yaml says what is",
    }
    yield Reason(
        "occurrence", tick.verdict, tick.scheduled_for, tick.verdict,
        f"the occurrence of {tick.scheduled_for:%Y-%m-%d %H:%M:%S} UTC did not run: {tick.reason}{many}",
        hints.get(Verdict(tick.verdict), f"norn cron history {app.name}"), job=tick.job, execution=tick.execution,
    )  # fmt: skip


def _run(tx: Tx, app: str) -> Iterator[Reason]:
    for run in executions.cron_runs(tx, app, Cut(limit=1)).items:
        if _ended_badly(run):
            yield _of_execution("run", run, run.stderr or run.stdout)


def _call(tx: Tx, app: str) -> Iterator[Reason]:
    for call in executions.calls(tx, app=app, cut=Cut(limit=1)).items:
        if _ended_badly(call):
            wrote = executions.answer(tx, call.id)
            yield _of_execution("call", call, (wrote.stderr or wrote.response or b"").decode("utf-8", "replace"))


def _ended_badly(execution: Execution) -> bool:
    state = ExecutionState(execution.state)
    return state.terminal and state is not ExecutionState.SUCCEEDED


def _of_execution(kind: str, execution: Execution, wrote: str) -> Reason:
    return Reason(
        kind, execution.state, execution.finished_at or execution.created_at, execution.cause,
        execution.sentence or f"it ended {execution.state}", execution.hint,
        last_lines=tuple(wrote.splitlines()[-LINES:]), job=execution.job, release=execution.release,
        execution=execution.id, exit_code=execution.exit_code,
    )  # fmt: skip
