"""The sweeper ends or requeues every job that is stuck, and only the sweeper moves a job from running back to
queued.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from sqlalchemy import select, text, update

from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.requests import RunJobRequest
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory, workers
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import slots, sweeper
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.tables import FunctionExecutionRow, JobRow, SlotRow
from tests import factories


def _state(database: Database, job: int) -> Any:
    with database.transaction() as tx:
        return tx.execute(select(JobRow).where(JobRow.id == job)).one()


def _set(database: Database, job: int, **values: Any) -> None:
    with database.transaction() as tx:
        tx.execute(update(JobRow).where(JobRow.id == job).values(**values))


def _call(database: Database, *, sync: bool = False) -> int:
    factories.add_live(database, "fn", at_once=1)
    with database.transaction() as tx:
        release = releases.require_live(tx, "fn")
        return runs.accept_call(tx, release, Call(), sync=sync, actor="test", patience=60).job


PAST = text("clock_timestamp() - interval '1 s'")
AHEAD = text("clock_timestamp() + interval '1 h'")


@pytest.mark.parametrize(
    ("kind", "state", "cancel", "deadline", "claims", "begun", "lease"),
    list(
        product(
            [JobKind.FORGE, JobKind.INVOKE],
            ["queued", "running"],
            [False, True],
            ["past", "ahead"],
            [1, 5],
            [False, True],
            ["expired", "fresh"],
        )
    ),
)
def test_every_state_leads_to_an_end(
    database: Database, kind: JobKind, state: str, cancel: bool, deadline: str, claims: int, begun: bool, lease: str
) -> None:
    """Whatever the state, a job that its worker could not end reaches a terminal state within a few rounds."""
    if kind is JobKind.INVOKE:
        job = _call(database)
    else:
        with database.transaction() as tx:
            job = factories.add_job(tx)
    _set(
        database, job, state=state, claims=claims, lease_token=1, lease_owner="dead",
        cancel_requested_at=PAST if cancel else None, deadline=PAST if deadline == "past" else AHEAD,
        begun_at=PAST if begun else None, runs=int(begun),
        lease_until=PAST if lease == "expired" else AHEAD,
    )  # fmt: skip
    for _ in range(20):
        sweep(database, max_claims=5)
        row = _state(database, job)
        if JobState(row.state).terminal:
            return
        if row.state == "running" and row.lease_until is not None:
            _set(database, job, lease_until=PAST)
        elif row.state == "queued":
            take(database, factories.claimer("w", JobClass(row._mapping["class"]), lease=0.001))
    pytest.fail(f"still {row.state} after 20 rounds")


def test_a_cancelled_queued_job_ends_cancelled(database: Database) -> None:
    job = _call(database)
    _set(database, job, cancel_requested_at=PAST)
    sweep(database, max_claims=5)
    assert _state(database, job).state == "cancelled"


def test_a_job_past_its_deadline_expires_with_the_time_it_waited(database: Database) -> None:
    job = _call(database)
    _set(database, job, deadline=PAST, created_at=text("clock_timestamp() - interval '31 s'"))
    sweep(database, max_claims=5)
    row = _state(database, job)
    assert (row.state, row.error["sentence"]) == ("expired", "waited 30 s, and no worker was free to begin it")


def test_a_poison_job_is_dead_after_five_workers(database: Database) -> None:
    with database.transaction() as tx:
        job = factories.add_job(tx)
    for n in range(5):
        factories.claim(database, f"w{n}", lease=0.001)
        sweep(database, max_claims=5)
    assert take(database, factories.claimer()) is None
    sweep(database, max_claims=5)
    row = _state(database, job)
    assert (row.state, row.error["sentence"]) == ("dead", "5 workers took it, and each of them died before it ended")


def test_a_lost_synchronous_call_is_never_run_again(database: Database) -> None:
    job = _call(database, sync=True)
    held = factories.claim(database, job_class=JobClass.INVOKE, lease=0.001)
    _set(database, job, lease_until=AHEAD)
    ledger = Ledger(database, patience=0)
    ledger.record_container(held.fence, factories.container("c1"))
    ledger.begin_code(held.fence, held.required_execution().runs)
    _set(database, job, lease_until=PAST)
    sweep(database, max_claims=5)
    row = _state(database, job)
    assert (row.state, row.error["code"]) == ("error", "worker_lost")


@pytest.mark.parametrize(("there", "holder"), [(["c1"], True), (["c2"], False)], ids=["seen", "missed"])
def test_a_lost_call_keeps_its_slot_until_its_container_is_gone(
    database: Database, there: list[str], holder: bool
) -> None:
    job = _call(database, sync=True)
    held = factories.claim(database, job_class=JobClass.INVOKE)
    ledger = Ledger(database, patience=0)
    ledger.record_container(held.fence, factories.container("c1"))
    ledger.begin_code(held.fence, held.required_execution().runs)
    _set(database, job, lease_until=PAST)
    sweep(database, max_claims=5)
    with database.transaction() as tx:
        slots.release_unseen(tx, factories.ENGINE, there)
        assert tx.scalar(select(SlotRow.job_id)) == (job if holder else None)


def test_a_lost_asynchronous_call_is_adopted_at_no_cost_of_a_run_and_keeps_its_slot(database: Database) -> None:
    job = _call(database)
    held = factories.claim(database, job_class=JobClass.INVOKE)
    ledger = Ledger(database, patience=0)
    ledger.record_container(held.fence, factories.container("c1"))
    ledger.begin_code(held.fence, held.required_execution().runs)
    _set(database, job, lease_until=PAST)
    sweep(database, max_claims=5)
    row = _state(database, job)
    with database.transaction() as tx:
        holder = tx.scalar(select(SlotRow.job_id))
    assert (row.state, row.adopt, row.runs, holder) == ("queued", True, 1, job)
    again = factories.claim(database, "w2", JobClass.INVOKE)
    assert (again.id, again.container, again.required_execution().adopt) == (job, factories.container("c1"), True)


def test_a_lost_job_that_had_not_begun_is_simply_queued(database: Database) -> None:
    job = _call(database)
    factories.claim(database, job_class=JobClass.INVOKE, lease=0.001)
    sweep(database, max_claims=5)
    row = _state(database, job)
    assert (row.state, row.adopt, row.runs) == ("queued", False, 0)


def test_a_job_of_an_engine_that_nobody_speaks_for_is_given_up(database: Database) -> None:
    job = _call(database)
    _set(database, job, created_at=text("clock_timestamp() - interval '121 s'"))
    sweep(database, max_claims=5)
    assert _state(database, job).error["code"] == "engine_gone"


def _spoken(database: Database, ago: int) -> None:
    """A worker reported the engine `ago` seconds ago, and none does now."""
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, 2**30, 0)
        tx.execute(text(f"UPDATE engines SET seen_at = clock_timestamp() - interval '{ago} s'"))


@pytest.mark.parametrize(("ago", "state"), [(60, "queued"), (130, "error")])
def test_an_engine_is_gone_when_nobody_spoke_for_it_for_long_and_not_at_its_first_silence(
    database: Database, ago: int, state: str
) -> None:
    job = _call(database)
    _set(database, job, created_at=text("clock_timestamp() - interval '1 hour'"))
    _spoken(database, ago)
    sweep(database, max_claims=5)
    assert _state(database, job).state == state


@pytest.mark.parametrize(("begun", "state"), [(False, "queued"), (True, "error")])
def test_a_cron_run_that_has_not_begun_waits_for_its_engine_until_its_deadline(
    database: Database, begun: bool, state: str
) -> None:
    factories.add_live(database, "report", "cron")
    with database.transaction() as tx:
        live = releases.require_live(tx, "report")
        job = runs.accept_cron_run(
            tx, live, trigger=RunTrigger.SCHEDULE, scheduled_for=None, actor="beat", patience=86_400
        ).job
    _set(database, job, created_at=text("clock_timestamp() - interval '1 hour'"), begun_at=PAST if begun else None)
    _spoken(database, 130)
    sweep(database, max_claims=5)
    assert _state(database, job).state == state


def test_a_job_between_two_tries_expires_like_one_that_has_not_begun(database: Database) -> None:
    job = _call(database)
    _set(database, job, begun_at=PAST, runs=1, max_runs=3, deadline=PAST)
    sweep(database, max_claims=5)
    assert _state(database, job).state == "expired"


def test_a_job_whose_container_may_run_does_not_expire(database: Database) -> None:
    job = _call(database)
    _set(database, job, begun_at=PAST, runs=1, container="c1", adopt=True, deadline=PAST)
    sweep(database, max_claims=5)
    assert _state(database, job).state == "queued"


def test_one_sweep_moves_more_than_one_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)
    with database.transaction() as tx:
        for n in range(5):
            factories.add_job(tx, app=f"app-{n}")
        tx.execute(update(JobRow).values(deadline=PAST))
    assert sweep(database, max_claims=5).moved == 5


@pytest.mark.parametrize(("listening", "state"), [(5, "queued"), (130, "error")])
def test_a_norn_that_was_down_for_long_waits_for_its_workers(database: Database, listening: int, state: str) -> None:
    job = _call(database)
    _set(database, job, created_at=text("clock_timestamp() - interval '1 hour'"))
    with database.transaction() as tx:
        since = f"clock_timestamp() - interval '{listening} s'"
        tx.execute(text(f"INSERT INTO beats(name, started_at) VALUES ('b', {since})"))
    sweep(database, max_claims=5)
    assert _state(database, job).state == state


def test_ending_a_call_ends_its_execution(database: Database) -> None:
    job = _call(database)
    _set(database, job, cancel_requested_at=PAST)
    sweep(database, max_claims=5)
    with database.transaction() as tx:
        assert tx.scalar(select(FunctionExecutionRow.state).where(FunctionExecutionRow.job_id == job)) == "cancelled"


def test_a_fresh_lease_is_left_alone(database: Database) -> None:
    with database.transaction() as tx:
        job = factories.add_job(tx)
    factories.claim(database)
    assert sweep(database, max_claims=5).moved == 0
    assert _state(database, job).state == "running"


@pytest.mark.parametrize("died", [True, False])
def test_a_one_off_that_comes_back_to_the_queue_can_be_claimed_again(database: Database, died: bool) -> None:
    """Its app has no slots: the single slot that was made for the run waits with it."""
    factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        live = releases.require_live(tx, "web")
        runs.accept_oneoff(tx, live, RunJobRequest(("ls",), 60), actor="test", patience=60)
    first = factories.claim(database, job_class=JobClass.CRON)
    if died:
        _set(database, first.id, lease_until=PAST)
        sweep(database, max_claims=5)
    else:
        Ledger(database, patience=1).hand_back(first.fence, adopt=False)
    assert factories.claim(database, job_class=JobClass.CRON).id == first.id


def test_a_beat_that_was_silent_listens_anew(database: Database) -> None:
    """The database did not respond for minutes: workers that could not report in that time are not considered dead."""
    job = _call(database)
    _set(database, job, created_at=text("clock_timestamp() - interval '1 hour'"))
    with database.transaction() as tx:
        workers.beat(tx, "beat", 0.0)
        tx.execute(text("UPDATE beats SET started_at = now() - interval '1 day', seen_at = now() - interval '3 min'"))
    with database.transaction() as tx:
        workers.beat(tx, "beat", 0.0)
    sweep(database, max_claims=5)
    assert _state(database, job).state == "queued"
