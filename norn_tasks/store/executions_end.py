"""How an execution's end is kept: judgement, exit code, duration by the engine's clock, and what it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text, update

from norn_tasks.domain.event import EventKind
from norn_tasks.domain.execution import ExecutionState, Finished
from norn_tasks.domain.job import JobKind
from norn_tasks.domain.writes import ExecutionFinished
from norn_tasks.store import retries
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import CronExecution, ExecutionIO, FuncExecution, OneOff


def execution_finished(tx: Tx, row: Row, write: ExecutionFinished) -> Mapping[str, Any]:
    """Ends the execution of the job of `row`, or only this try of it when another one comes (`store.retries`)."""
    finished = write.finished
    pause = None if finished.state is ExecutionState.SUCCEEDED else retries.pause(row, finished.cause)
    common = _common(finished) if pause is None else _common(finished) | {"state": "pending", "finished_at": None}
    if row["kind"] == JobKind.INVOKE:
        out = finished.ended.stdout
        answer = out.head + out.tail
        tx.execute(
            update(FuncExecution).where(FuncExecution.id == row["execution"]).values(**common, response_size=out.size)
        )
        tx.execute(
            update(ExecutionIO)
            .where(ExecutionIO.execution == row["execution"])
            .values(response=answer, stderr=finished.ended.stderr.text().encode())
        )
    else:
        table = OneOff if row["kind"] == JobKind.RUN else CronExecution
        tx.execute(update(table).where(table.id == row["execution"]).values(**common, **_streams(finished)))
    told = {"execution": row["execution"], "state": str(finished.state), "exit_code": finished.ended.exit_code}
    if pause is None:
        tell(tx, EventKind.EXECUTION_ENDED, app=row["app"], job=row["id"], **told)
    else:
        tell(tx, EventKind.EXECUTION_RETRIED, app=row["app"], job=row["id"], **told, attempt=row["runs"], pause=pause)
    return {}


def _common(finished: Finished) -> dict[str, Any]:
    ended = finished.ended
    duration = None
    if ended.started_at is not None and ended.finished_at is not None:
        duration = max(0, int((ended.finished_at - ended.started_at).total_seconds() * 1000))
    return {
        "state": str(finished.state), "cause": finished.cause, "sentence": finished.sentence, "hint": finished.hint,
        "exit_code": ended.exit_code, "finished_at": text("clock_timestamp()"), "duration_ms": duration,
    }  # fmt: skip


def _streams(finished: Finished) -> dict[str, Any]:
    """Text for people: PostgreSQL takes no NUL in text."""
    ended = finished.ended
    return {
        "stdout": ended.stdout.text().replace("\0", "\ufffd"),
        "stdout_dropped": ended.stdout.dropped,
        "stderr": ended.stderr.text().replace("\0", "\ufffd"),
        "stderr_dropped": ended.stderr.dropped,
    }
