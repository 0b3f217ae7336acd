"""The end of a run that succeeded is one SQL statement; it must write everything that the other ends write."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import Captured, ContainerExit, ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.requests import RunJobRequest
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from tests import factories

PLACE = StepPosition(1, "run-container")
_VERDICT = ExecutionVerdict(
    ExecutionState.SUCCEEDED,
    ContainerExit(0, stdout=Captured(b"out\0"), stderr=Captured(b"err")),
)
END = StepEnd(
    StepState.SUCCEEDED, Learned(writes=(ExecutionFinished(_VERDICT),), note="succeeded"), ends=JobState.SUCCEEDED
)
CALL = Call("POST", "/a", "b=c", {"x-y": "z"}, "text/plain", b"\0body")


def _accepted(database: Database, kind: str) -> None:
    factories.add_live(database, "app", "function" if kind == "call" else "cron")
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, 2**32, 0)
        live = releases.require_live(tx, "app")
        if kind == "call":
            runs.accept_call(tx, live, CALL, sync=False, actor="test", patience=60)
        elif kind == "cron":
            runs.accept_cron_run(tx, live, trigger=RunTrigger.MANUAL, scheduled_for=None, actor="test", patience=60)
        else:
            runs.accept_oneoff(tx, live, RunJobRequest(("true",), 60), actor="test", patience=60)


def _begun(database: Database, kind: str) -> tuple[Ledger, Job]:
    _accepted(database, kind)
    ledger = Ledger(database, patience=0)
    job = factories.claim(database, job_class=JobClass.INVOKE if kind == "call" else JobClass.CRON)
    ledger.record_container(job.fence, factories.container("c1"))
    ledger.begin_code(job.fence, 0)
    return ledger, job


def _rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as tx:
        return [tuple(row) for row in tx.execute(text(query))]


@pytest.mark.parametrize(
    ("kind", "table"), [("call", "func_executions"), ("cron", "cron_executions"), ("oneoff", "oneoffs")]
)
def test_all_that_belongs_to_it_has_ended(database: Database, kind: str, table: str) -> None:
    ledger, job = _begun(database, kind)
    ledger.end_step(job.fence, PLACE, END, run_of=job.kind)
    assert _rows(database, "SELECT state, lease_until, ended_at IS NULL, event_seq FROM jobs") == [
        ("succeeded", None, False, 5)
    ]
    assert _rows(database, "SELECT n, name, state, note, ended_at IS NULL FROM steps") == [
        (1, "run-container", "succeeded", "succeeded", False)
    ]
    assert _rows(database, f"SELECT state, exit_code, attempt, finished_at IS NULL FROM {table}") == [
        ("succeeded", 0, 1, False)
    ]
    assert _rows(
        database, "SELECT (SELECT count(*) FROM slots WHERE job_id IS NOT NULL), count(*) FROM memory_held"
    ) == [(0, 0)]
    assert _rows(database, "SELECT seq, kind FROM events ORDER BY xact, id") == [
        (1, "job.accepted"), (2, "execution.begun"), (3, "execution.ended"), (4, "step.ended"), (5, "job.ended")
    ]  # fmt: skip


def test_a_call_keeps_request_and_answer(database: Database) -> None:
    ledger, job = _begun(database, "call")
    assert job.required_execution().call == CALL
    ledger.end_step(job.fence, PLACE, END, run_of=job.kind)
    (kept,) = _rows(database, "SELECT request, response, stderr FROM execution_io")
    assert [bytes(each) for each in kept] == [CALL.body, b"out\0", b"err"]
    assert _rows(database, "SELECT request_size, response_size FROM func_executions") == [(5, 4)]


def test_its_events_say_what_other_ends_say(database: Database) -> None:
    ledger, job = _begun(database, "cron")
    ledger.end_step(job.fence, PLACE, END, run_of=job.kind)
    said = dict(_rows(database, "SELECT kind, data FROM events"))
    execution = job.required_execution().id
    assert said["execution.ended"] == {"execution": execution, "state": "succeeded", "exit_code": 0}
    assert said["job.ended"] == {"state": "succeeded", "error": None, "kind": "cron-run"}
    step = said["step.ended"]
    assert step.pop("seconds") >= 0
    assert step == {"n": 1, "name": "run-container", "state": "succeeded", "note": "succeeded", "error": None}


def test_under_a_fallen_fence_it_writes_nothing(database: Database) -> None:
    ledger, job = _begun(database, "call")
    with database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET lease_token = nextval('fence')"))
    with pytest.raises(LeaseLost):
        ledger.end_step(job.fence, PLACE, END, run_of=job.kind)
    assert _rows(database, "SELECT state, event_seq FROM jobs") == [("running", 2)]
    assert _rows(database, "SELECT state FROM func_executions") == [("running",)]
