"""Reads cron runs, function calls and one-offs for people: their records, and a call's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from norn_tasks.domain.errors import NotFound
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.database.session import Tx


@dataclass(frozen=True)
class Execution:
    """The fields that cron runs, one-offs and function calls have in common. `cause` is a stable code of a failure."""

    id: int
    app: str
    job: int
    release: int | None
    state: str
    cause: str
    sentence: str
    hint: str
    exit_code: int | None
    attempt: int
    actor: str
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None


@dataclass(frozen=True)
class CronRun(Execution):
    """A cron run with its output; `verdict` is the verdict of its occurrence, None for a manual run."""

    image_id: str | None
    trigger: str
    verdict: str | None
    scheduled_for: datetime | None
    planned_at: datetime | None
    stdout: str
    stdout_dropped: int
    stderr: str
    stderr_dropped: int


@dataclass(frozen=True)
class OneOff(Execution):
    """A one-off command with its output; `timeout` in seconds."""

    command: tuple[str, ...]
    timeout: int
    stdout: str
    stdout_dropped: int
    stderr: str
    stderr_dropped: int


@dataclass(frozen=True)
class FunctionCall(Execution):
    """A function call without its bytes."""

    sync: bool
    method: str
    path: str
    query: str
    headers: dict[str, Any]
    content_type: str
    request_size: int
    response_size: int | None
    record: str
    request_sha256: str | None
    response_sha256: str | None
    trimmed_at: datetime | None


@dataclass(frozen=True)
class Answer:
    """The bytes of a call: the request, the answer and stderr, each None if it is not recorded or not written yet."""

    request: bytes | None
    response: bytes | None
    stderr: bytes | None


def _shared(x: type[t.ExecutionColumns]) -> tuple[Any, ...]:
    return (
        x.id, x.app, x.job_id.label("job"), x.release, x.state, x.cause, x.sentence, x.hint, x.exit_code, x.attempt,
        x.actor, x.created_at, x.begun_at, x.finished_at, x.duration_ms,
    )  # fmt: skip


def _runs() -> AnySelect:
    x, k = t.CronExecutionRow, t.CronTickRow
    return select(
        *_shared(x), x.image_id, x.trigger, k.verdict, x.scheduled_for, x.planned_at, x.stdout, x.stdout_dropped,
        x.stderr, x.stderr_dropped,
    ).outerjoin(k, and_(k.app == x.app, k.scheduled_for == x.scheduled_for, k.execution == x.id))  # fmt: skip


def _oneoffs() -> AnySelect:
    x = t.OneOffRow
    return select(
        *_shared(x), x.command, x.timeout, x.stdout, x.stdout_dropped, x.stderr, x.stderr_dropped
    )  # fmt: skip


def _calls() -> AnySelect:
    x = t.FunctionExecutionRow
    return select(
        *_shared(x), x.sync, x.method, x.path, x.query, x.headers, x.content_type, x.request_size, x.response_size,
        x.record, x.request_sha256, x.response_sha256, x.trimmed_at,
    )  # fmt: skip


def cron_runs(tx: Tx, app: str, cut: Cut) -> Page[CronRun]:
    """Lists an app's cron runs, newest first."""
    return newest_first(tx, _runs().where(t.CronExecutionRow.app == app), t.CronExecutionRow.id, CronRun, cut)


def cron_run(tx: Tx, app: str, execution: int) -> CronRun:
    """Returns one cron run of an app; raises NotFound."""
    row = tx.execute(_runs().where(t.CronExecutionRow.app == app, t.CronExecutionRow.id == execution)).first()
    if row is None:
        raise NotFound(f"{app} has no cron run {execution}", hint=f"norn cron history {app}")
    return value(CronRun, row)


def oneoffs(tx: Tx, app: str, cut: Cut) -> Page[OneOff]:
    """Lists an app's one-off commands, newest first."""
    return newest_first(tx, _oneoffs().where(t.OneOffRow.app == app), t.OneOffRow.id, OneOff, cut)


def oneoff(tx: Tx, execution: int) -> OneOff:
    """Returns a one-off command; raises NotFound."""
    row = tx.execute(_oneoffs().where(t.OneOffRow.id == execution)).first()
    if row is None:
        raise absent_oneoff(execution)
    return value(OneOff, row)


def absent_oneoff(execution: int) -> NotFound:
    """Returns the error for a one-off command that does not exist."""
    return NotFound(f"there is no one-off run {execution}", hint="norn runs list APP")


def calls(
    tx: Tx, *, app: str | None = None, state: str | None = None, reach: Reach = None, cut: Cut
) -> Page[FunctionCall]:
    """Lists function calls, newest first."""
    x = t.FunctionExecutionRow
    wanted = [*equal(app=(x.app, app), state=(x.state, state)), *within(x.app, reach)]
    return newest_first(tx, _calls().where(*wanted), x.id, FunctionCall, cut)


def call(tx: Tx, execution: int) -> FunctionCall:
    """Returns one function call; raises NotFound."""
    row = tx.execute(_calls().where(t.FunctionExecutionRow.id == execution)).first()
    if row is None:
        raise absent_call(execution)
    return value(FunctionCall, row)


def absent_call(execution: int) -> NotFound:
    """Returns the error for a function call that does not exist."""
    return NotFound(f"there is no invocation {execution}", hint="norn fn history")


def answer(tx: Tx, execution: int) -> Answer:
    """Returns the bytes of a call; they are None if it has none."""
    io = t.PayloadRow
    row = tx.execute(select(io.request, io.response, io.stderr).where(io.execution == execution)).first()
    if row is None:
        return Answer(None, None, None)
    return Answer(*(None if part is None else bytes(part) for part in row))


def call_state(tx: Tx, execution: int) -> str | None:
    """Returns the state of a function call; None if there is no such call. It is the cheapest query for polling."""
    return tx.execute(select(t.FunctionExecutionRow.state).where(t.FunctionExecutionRow.id == execution)).scalar()
