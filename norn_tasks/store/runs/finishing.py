"""Records the end of an execution: its state and cause, exit code, duration by the engine's clock, and output."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text, update

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.execution import ContainerExit, ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.facts import Fact
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.queue import retries
from norn_tasks.store.tables import CronExecutionRow, FunctionExecutionRow, OneOffRow, PayloadRow


def execution_finished(tx: Tx, row: Row, write: ExecutionFinished) -> tuple[Fact, ...]:
    """Ends the execution of the job of `row`, or only this try if another one follows (`store.queue.retries`)."""
    finished = write.finished
    pause = None if finished.state is ExecutionState.SUCCEEDED else retries.pause(row, finished.cause)
    common = outcome(finished) | {"state": str(finished.state), "finished_at": text("clock_timestamp()")}
    if pause is not None:
        common |= {"state": "pending", "finished_at": None}
    _write(tx, row, finished.ended, common)
    end = {"execution": row["execution"], "state": str(finished.state), "exit_code": finished.ended.exit_code}
    if pause is None:
        publish(tx, EventKind.EXECUTION_ENDED, app=row["app"], job=row["id"], **end)
    else:
        publish(tx, EventKind.EXECUTION_RETRIED, app=row["app"], job=row["id"], **end, attempt=row["runs"], pause=pause)
    return ()


def keep_output(tx: Tx, row: Row, ended: ContainerExit) -> None:
    """Stores the output that the execution of `row`'s job wrote until it was stopped; the caller records its end."""
    if JobKind(row["kind"]) in (JobKind.INVOKE, JobKind.CRON_RUN, JobKind.RUN):
        _write(tx, row, ended, {"exit_code": ended.exit_code, "duration_ms": _duration(ended)})


def _write(tx: Tx, row: Row, ended: ContainerExit, common: dict[str, Any]) -> None:
    """Writes how an execution ended (`common`), and its output."""
    if row["kind"] != JobKind.INVOKE:
        table = OneOffRow if row["kind"] == JobKind.RUN else CronExecutionRow
        tx.execute(update(table).where(table.id == row["execution"]).values(**common, **streams(ended)))
        return
    written = answer(ended)
    tx.execute(
        update(FunctionExecutionRow)
        .where(FunctionExecutionRow.id == row["execution"])
        .values(**common, response_size=written["size"])
    )
    tx.execute(
        update(PayloadRow)
        .where(PayloadRow.execution == row["execution"])
        .values(response=written["answer"], stderr=written["stderr"])
    )


def outcome(finished: ExecutionVerdict) -> dict[str, Any]:
    """Returns the values of the columns that say how an execution ended, except its state and the moment of its end."""
    ended = finished.ended
    return {
        "cause": finished.cause, "sentence": finished.sentence, "hint": finished.hint,
        "exit_code": ended.exit_code, "duration_ms": _duration(ended),
    }  # fmt: skip


def _duration(ended: ContainerExit) -> int | None:
    if ended.started_at is None or ended.finished_at is None:
        return None
    return max(0, int((ended.finished_at - ended.started_at).total_seconds() * 1000))


def answer(ended: ContainerExit) -> dict[str, Any]:
    """Returns the bytes that the code of a call wrote, and the number of bytes of its answer."""
    out = ended.stdout
    return {"answer": out.head + out.tail, "size": out.size, "stderr": ended.stderr.text().encode()}


def streams(ended: ContainerExit) -> dict[str, Any]:
    """Returns the output of a run, as text without the NUL characters that PostgreSQL refuses."""
    return {
        "stdout": ended.stdout.text().replace("\0", "\ufffd"),
        "stdout_dropped": ended.stdout.dropped,
        "stderr": ended.stderr.text().replace("\0", "\ufffd"),
        "stderr_dropped": ended.stderr.dropped,
    }
