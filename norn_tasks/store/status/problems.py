"""Explains why an app is not as it should be: its last failures, each with a sentence, the last lines and a hint.

A failure that was followed by a success appears only in the histories. An automatic return to the live release is not
listed on its own: the failed deployment before it has the cause, and names the return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, not_, or_, select

from norn_tasks.domain.alerting.alert import AlertKind
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.deployment import DeploymentKind, DeploymentState
from norn_tasks.domain.jobs.execution import ExecutionState
from norn_tasks.domain.jobs.job import OPEN, JobKind, JobState
from norn_tasks.domain.schedule import Verdict
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import step_logs
from norn_tasks.store.releases import deployments_read
from norn_tasks.store.runs import runs_read
from norn_tasks.store.runs.runs_read import Execution
from norn_tasks.store.status.apps import AppView

LINES = 20
_RAN = (Verdict.FIRED, Verdict.CAUGHT_UP)
_NO_MATTER = (*OPEN, JobState.SUCCEEDED, JobState.SUPERSEDED)
_OF_REPLICAS = (AlertKind.CRASH_LOOPING, AlertKind.OUT_OF_MEMORY, AlertKind.UNHEALTHY, AlertKind.DOWN)
_LIVED = (DeploymentState.DEPLOYED, DeploymentState.ROLLED_BACK)


@dataclass(frozen=True)
class Returned:
    """The deployment that returned an app to its live release, and how that deployment ended."""

    deployment: int
    release: int
    state: str


@dataclass(frozen=True)
class Reason:
    """One failure. `kind`: the kind of a job or an alert, `occurrence`, `run` or `call`; `step`: the step that failed.

    `last_lines` are the last lines of its output, which are stored longer than its container exists.
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


def reasons(tx: Tx, app: AppView) -> tuple[Reason, ...]:
    """Returns the last failures of an app, latest first."""
    found = [*_troubles(app), *_deployment(tx, app), *_change(tx, app.name)]
    if app.role is Role.CRON:
        found += [*_occurrence(app), *_run(tx, app.name)]
    if app.role is Role.FUNCTION:
        found += _call(tx, app.name)
    return tuple(sorted(found, key=lambda reason: reason.at.timestamp() if reason.at else 0.0, reverse=True))


def _troubles(app: AppView) -> Iterator[Reason]:
    """Yields the reasons from the app's open alerts about live replicas."""
    for alert in app.alerts:
        if alert.kind in _OF_REPLICAS:
            yield Reason(alert.kind, "reported", alert.raised_at, alert.kind, alert.sentence, alert.hint)


def _deployment(tx: Tx, app: AppView) -> Iterator[Reason]:
    """Yields the newest ended attempt to make a release live, if it failed and the app was not torn down since."""
    d = t.DeploymentRow
    tried = (d.kind != str(DeploymentKind.RETURN), d.state != str(DeploymentState.SUPERSEDED), d.ended_at.is_not(None))
    newest = select(d).where(d.app == app.name, *tried).order_by(d.id.desc()).limit(1)
    row = tx.execute(newest).mappings().one_or_none()
    if row is None or row["state"] in _LIVED or app.forge_state is ForgeState.UNFORGED:
        return
    back = deployments_read.get(tx, row["returned_to"]) if row["returned_to"] is not None else None
    yield Reason(
        row["kind"], row["state"], row["ended_at"], **_error(row["error"], row["state"]), **_place(tx, row["job_id"]),
        job=row["job_id"], release=row["release"], deployment=row["id"],
        returned=Returned(back.id, back.release, back.state) if back is not None else None,
    )  # fmt: skip


def _change(tx: Tx, app: str) -> Iterator[Reason]:
    """Yields the newest other change of the app, such as a forge, a restart or a repair, if it failed.

    An automatic return or a successful repair does not hide an earlier failure, because Norn itself requested it.
    """
    j, d = t.JobRow, t.DeploymentRow
    returns = select(d.id).where(d.app == app, d.kind == str(DeploymentKind.RETURN))
    repaired = and_(j.kind == str(JobKind.REPAIR), j.state == str(JobState.SUCCEEDED))
    asked = (or_(j.deployment.is_(None), j.deployment.not_in(returns)), not_(repaired))
    newest = select(j).where(j.app == app, j.exclusive, j.ended_at.is_not(None), *asked).order_by(j.id.desc()).limit(1)
    row = tx.execute(newest).mappings().one_or_none()
    if row is None or row["deployment"] is not None or row["state"] in _NO_MATTER:
        return
    yield Reason(
        row["kind"], row["state"], row["ended_at"], **_error(row["error"], row["state"]), **_place(tx, row["id"]),
        job=row["id"], release=row["release"],
    )  # fmt: skip


def _error(error: dict[str, Any] | None, state: str) -> dict[str, Any]:
    found = error or {}
    sentence = str(found.get("sentence") or f"it ended {state}")
    return {"code": str(found.get("code") or state), "sentence": sentence, "hint": str(found.get("hint") or "")}


def _place(tx: Tx, job: int) -> dict[str, Any]:
    """Returns the step at which a job failed, and the last lines of the step's output."""
    s = t.StepRow
    step = tx.scalar(select(s.name).where(s.job_id == job, s.state == "failed").order_by(s.n.desc()).limit(1))
    return {"step": step, "last_lines": tuple(step_logs.tail(tx, job, step, LINES)) if step else ()}


def _occurrence(app: AppView) -> Iterator[Reason]:
    """Yields the latest occurrence, if it did not run."""
    tick = app.tick
    if tick is None or tick.verdict is None or tick.verdict in _RAN:
        return
    many = f"; {tick.how_many} occurrences until {tick.until:%Y-%m-%d %H:%M} UTC" if tick.until else ""
    hints = {
        Verdict.SKIPPED_PAUSED: f"norn cron resume {app.name}",
        Verdict.SKIPPED_OVERLAP: "set concurrency: allow or replace in its infraspec.yaml, or make it quicker",
        Verdict.MISSED: f"norn cron run {app.name} runs it now; catchup in its infraspec.yaml makes Norn run it later",
    }
    yield Reason(
        "occurrence", tick.verdict, tick.scheduled_for, tick.verdict,
        f"the occurrence of {tick.scheduled_for:%Y-%m-%d %H:%M:%S} UTC did not run: {tick.reason}{many}",
        hints.get(Verdict(tick.verdict), f"norn cron history {app.name}"), job=tick.job, execution=tick.execution,
    )  # fmt: skip


def _run(tx: Tx, app: str) -> Iterator[Reason]:
    for run in runs_read.cron_runs(tx, app, Cut(limit=1)).items:
        if _ended_badly(run):
            yield _of_execution("run", run, run.stderr or run.stdout)


def _call(tx: Tx, app: str) -> Iterator[Reason]:
    for call in runs_read.calls(tx, app=app, cut=Cut(limit=1)).items:
        if _ended_badly(call):
            wrote = runs_read.answer(tx, call.id)
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
