"""Accepting jobs: a refused one leaves nothing, an accepted one is a row; idempotency keys, superseded jobs, a broker
that does not respond.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from norn_tasks import dispatch
from norn_tasks.dispatch.intake import accept
from norn_tasks.domain.errors import (
    AlreadyRunning,
    AppNotFound,
    BodyTooLarge,
    DeadlockVictim,
    EngineDown,
    InvalidRequest,
    KeyReused,
    NotDeployed,
    NotForged,
    NotFound,
    ReleaseGone,
    Unavailable,
    WrongRole,
)
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.fleet import workers
from norn_tasks.store.tables import AppRow, DeploymentRow, EventRow, FunctionExecutionRow, JobRow, ReleaseRow
from tests import factories
from tests.servers import Broker


def _count(database: Database, table: Any = JobRow) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def _states(database: Database) -> list[str]:
    with database.transaction() as tx:
        return list(tx.scalars(select(JobRow.state).order_by(JobRow.id)))


def _directory_app(apps: Path, name: str = "blog", role: str = "worker") -> None:
    (apps / name).mkdir(parents=True)
    (apps / name / "infraspec.yaml").write_text(f"app: {name}\nrole: {role}\n{factories.SPECS[role]}")


def _worker(database: Database, engine: str | None = factories.ENGINE, error: str | None = None) -> None:
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.INVOKE, "host", 1, 4, engine, error))


REFUSALS = [
    (NotFound, lambda i: dispatch.request_forge(i, "nobody", force=False, actor="a")),
    (AppNotFound, lambda i: dispatch.request_deploy(i, "nobody", ref=None, actor="a")),
    (InvalidRequest, lambda i: dispatch.request_deploy(i, "applied", ref=None, actor="a")),
    (NotDeployed, lambda i: dispatch.request_rollback(i, "applied", release=None, actor="a")),
    (NotDeployed, lambda i: dispatch.request_scale(i, "applied", replicas=2, actor="a")),
    (InvalidRequest, lambda i: dispatch.request_scale(i, "applied", replicas=101, actor="a")),
    (WrongRole, lambda i: dispatch.request_restart(i, "fn", actor="a")),
    (WrongRole, lambda i: dispatch.request_cron_run(i, "fn", force=False, actor="a")),
    (WrongRole, lambda i: dispatch.request_invoke(i, "applied", call=Call(), sync=False, actor="a")),
    (NotFound, lambda i: dispatch.request_rollback(i, "fn", release=None, actor="a")),
    (NotFound, lambda i: dispatch.request_rollback(i, "fn", release=7, actor="a")),
    (BodyTooLarge, lambda i: dispatch.request_invoke(i, "fn", call=Call(body=b"x" * 2**21), sync=False, actor="a")),
    (Unavailable, lambda i: dispatch.request_invoke(i, "fn", call=Call(), sync=True, actor="a")),
    (NotFound, lambda i: dispatch.request_logs(i, "fn", ReadLogsJobRequest(1, False), actor="a")),
    (NotFound, lambda i: dispatch.request_cancel(i, 99, actor="a")),
]


@pytest.mark.parametrize(("error", "ask"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_leaves_no_job(database: Database, error: type[Exception], ask: Any) -> None:
    factories.add_live(database, "fn")
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("applied", "worker"))
    with pytest.raises(error):
        ask(factories.intake(database))
    assert _count(database) == 0


def test_an_app_that_is_not_forged_is_not_deployed(database: Database, tmp_path: Path) -> None:
    _directory_app(tmp_path)
    with pytest.raises(NotForged, match="blog has no infrastructure yet") as refused:
        dispatch.request_deploy(factories.intake(database, apps_dir=tmp_path), "blog", ref=None, actor="a")
    assert refused.value.hint == "norn forge blog"


def test_a_directory_has_no_refs(database: Database, tmp_path: Path) -> None:
    _directory_app(tmp_path)
    with pytest.raises(InvalidRequest, match="ref"):
        dispatch.request_deploy(factories.intake(database, apps_dir=tmp_path), "blog", ref="v2", actor="a")


def test_a_deploy_may_be_accepted_behind_its_forge(database: Database, tmp_path: Path) -> None:
    _directory_app(tmp_path)
    intake = factories.intake(database, apps_dir=tmp_path)
    dispatch.request_forge(intake, "blog", force=False, actor="a")
    dispatch.request_deploy(intake, "blog", ref=None, actor="a")
    assert _states(database) == ["queued", "queued"]


def _forged_directory(database: Database, tmp_path: Path) -> dispatch.Intake:
    _directory_app(tmp_path)
    intake = factories.intake(database, apps_dir=tmp_path)
    dispatch.request_forge(intake, "blog", force=False, actor="a")
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(forge_state="forged"))
        tx.execute(update(JobRow).values(state="succeeded"))
    return intake


def test_the_newest_waiting_deploy_wins(database: Database, tmp_path: Path) -> None:
    intake = _forged_directory(database, tmp_path)
    for _ in range(3):
        dispatch.request_deploy(intake, "blog", ref=None, actor="a")
    assert _states(database)[1:] == ["superseded", "superseded", "queued"]
    with database.transaction() as tx:
        states = tx.scalars(select(DeploymentRow.state).order_by(DeploymentRow.id)).all()
        numbers = tx.scalars(select(ReleaseRow.n).order_by(ReleaseRow.n)).all()
    assert (list(states), list(numbers)) == (["superseded", "superseded", "queued"], [1, 2, 3])


def test_fifty_deploys_at_once_leave_one_waiting(database: Database, tmp_path: Path) -> None:
    intake = _forged_directory(database, tmp_path)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: dispatch.request_deploy(intake, "blog", ref=None, actor="a"), range(50)))
    states = _states(database)[1:]
    assert (states.count("queued"), states.count("superseded")) == (1, 49)


def test_a_teardown_gives_no_deploy_the_way(database: Database, tmp_path: Path) -> None:
    intake = _forged_directory(database, tmp_path)
    dispatch.request_deploy(intake, "blog", ref=None, actor="a")
    factories.claim(database)
    dispatch.request_deploy(intake, "blog", ref=None, actor="a")
    dispatch.request_teardown(intake, "blog", purge=False, actor="a")
    with database.transaction() as tx:
        asked = tx.scalars(select(JobRow.id).where(JobRow.cancel_requested_at.is_not(None))).all()
    assert _states(database)[1:] == ["running", "superseded", "queued"]
    assert len(asked) == 1


def test_a_rollback_to_a_pruned_release_is_refused_before_anything_is_touched(database: Database) -> None:
    wanted = factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        factories.add_release(tx, wanted, 2)
        tx.execute(update(ReleaseRow).where(ReleaseRow.n == 1).values(pruned_at=factories.LONG_AGO))
    with pytest.raises(ReleaseGone):
        dispatch.request_rollback(factories.intake(database), "web", release=1, actor="a")
    assert _count(database) == 0


def test_a_scale_override_is_frozen_into_the_job_and_kept_with_the_app(database: Database) -> None:
    factories.add_live(database, "web", "webserver")
    dispatch.request_scale(factories.intake(database), "web", replicas=3, actor="ann")
    with database.transaction() as tx:
        app = tx.execute(select(AppRow)).one()
        args = tx.scalar(select(JobRow.args)) or {}
    assert (app.replicas_override, app.override_by) == (3, "ann")
    assert args["override"] == {"replicas": 3, "spec": 1}


def _key(body: str = "b", key: str = "k") -> IdempotencyKey:
    return IdempotencyKey("a", "POST", "/api/apps/fn/invoke", key, body)


def _invoke(database: Database, key: IdempotencyKey | None = None) -> dispatch.Accepted:
    return dispatch.request_invoke(factories.intake(database), "fn", call=Call(), sync=False, actor="a", key=key)


def test_the_same_key_gives_the_same_job(database: Database) -> None:
    factories.add_live(database, "fn")
    first, second = _invoke(database, _key()), _invoke(database, _key())
    assert (second.job, second.execution, second.replayed) == (first.job, first.execution, True)
    assert _count(database) == 1


def test_the_same_key_fifty_times_at_once_makes_one_job(database: Database) -> None:
    factories.add_live(database, "fn")
    with ThreadPoolExecutor(16) as pool:
        jobs = {accepted.job for accepted in pool.map(lambda _: _invoke(database, _key()), range(50))}
    assert (len(jobs), _count(database)) == (1, 1)


def test_a_key_with_another_body_is_refused(database: Database) -> None:
    factories.add_live(database, "fn")
    _invoke(database, _key())
    with pytest.raises(KeyReused):
        _invoke(database, _key(body="other"))
    assert _count(database) == 1


def test_job_and_event_and_execution_are_written_together(database: Database) -> None:
    factories.add_live(database, "fn")
    accepted = _invoke(database)
    with database.transaction() as tx:
        event = tx.execute(select(EventRow).where(EventRow.job_id == accepted.job)).one()
        execution = tx.execute(select(FunctionExecutionRow)).one()
    assert (event.kind, event.seq, execution.id) == ("job.accepted", 1, accepted.execution)


def test_asynchronous_work_is_accepted_while_the_broker_refuses(database: Database) -> None:
    factories.add_live(database, "fn")
    intake = factories.intake(database)
    intake.waker.wake(JobClass.INVOKE)
    start = time.monotonic()
    for _ in range(5):
        dispatch.request_invoke(intake, "fn", call=Call(), sync=False, actor="a")
    assert time.monotonic() - start < 1
    assert _count(database) == 5


def test_a_synchronous_call_is_refused_at_once_while_the_breaker_is_open(database: Database) -> None:
    factories.add_live(database, "fn")
    _worker(database)
    intake = factories.intake(database)
    intake.waker.wake(JobClass.INVOKE)
    with pytest.raises(Unavailable, match="broker"):
        dispatch.request_invoke(intake, "fn", call=Call(), sync=True, actor="a")
    assert _count(database) == 0


def test_a_synchronous_call_says_when_the_engine_is_away(database: Database, broker: Broker) -> None:
    factories.add_live(database, "fn")
    _worker(database, None, "the engine does not answer")
    with pytest.raises(EngineDown, match="does not answer"):
        dispatch.request_invoke(factories.intake(database, broker.url), "fn", call=Call(), sync=True, actor="a")


def test_a_synchronous_call_is_accepted_when_a_worker_is_there(database: Database, broker: Broker) -> None:
    factories.add_live(database, "fn")
    _worker(database)
    accepted = dispatch.request_invoke(factories.intake(database, broker.url), "fn", call=Call(), sync=True, actor="a")
    assert accepted.execution is not None


def test_a_run_now_under_forbid_says_what_is_running(database: Database) -> None:
    factories.add_live(database, "report", "cron")
    intake = factories.intake(database)
    first = dispatch.request_cron_run(intake, "report", force=False, actor="a")
    with pytest.raises(AlreadyRunning, match=f"run {first.execution} of report waits to begin"):
        dispatch.request_cron_run(intake, "report", force=False, actor="a")


def test_a_forced_run_gets_a_slot_of_its_own(database: Database) -> None:
    factories.add_live(database, "report", "cron")
    intake = factories.intake(database)
    dispatch.request_cron_run(intake, "report", force=False, actor="a")
    dispatch.request_cron_run(intake, "report", force=True, actor="a")
    claimed = {factories.claim(database, job_class=JobClass.CRON).id for _ in range(2)}
    assert len(claimed) == 2


def test_looks_are_joined(database: Database) -> None:
    intake = factories.intake(database)
    looks = {dispatch.request_look(intake, actor="beat").job for _ in range(3)}
    assert len(looks) == 1
    with database.transaction() as tx:
        assert tx.scalar(select(JobRow.kind)) == JobKind.OBSERVE


def test_a_queued_job_is_cancelled_at_once(database: Database) -> None:
    factories.add_live(database, "fn")
    accepted = _invoke(database)
    dispatch.request_cancel(factories.intake(database), accepted.job, actor="ann")
    assert _states(database) == ["cancelled"]


def test_an_ended_job_is_left_as_it_is(database: Database) -> None:
    factories.add_live(database, "fn")
    accepted = _invoke(database)
    for _ in range(2):
        dispatch.request_cancel(factories.intake(database), accepted.job, actor="ann")
    assert _states(database) == ["cancelled"]


def test_an_acceptance_that_gave_way_to_another_change_is_tried_again(database: Database, broker: Broker) -> None:
    tries = []

    def write(tx: Tx) -> dispatch.Accepted:
        tries.append(factories.add_job(tx))
        if len(tries) < 3:
            raise DeadlockVictim("another change came first")
        return dispatch.Accepted(tries[-1])

    accepted = accept(factories.intake(database, broker.url), JobClass.DEPLOY, None, write)
    assert (len(tries), accepted.job, _count(database)) == (3, tries[-1], 1)


def test_of_two_changes_that_wait_for_each_other_one_gives_way(database: Database) -> None:
    with database.transaction() as tx:
        rows = [factories.add_job(tx, app=app) for app in ("one", "two")]
    both = threading.Barrier(2)

    def change(first: int, second: int) -> bool:
        try:
            with database.transaction() as tx:
                tx.execute(select(JobRow.id).where(JobRow.id == first).with_for_update())
                both.wait(10)
                tx.execute(select(JobRow.id).where(JobRow.id == second).with_for_update())
        except DeadlockVictim:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(change, rows, reversed(rows))) == [False, True]
