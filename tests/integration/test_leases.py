"""Heartbeats: they keep leases alive, notice cancels and drains, and stop a job before another worker may take
it over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import Conflict, Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.settings import Settings
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.tables import JobRow
from norn_tasks.worker.cancels import CancelListener
from norn_tasks.worker.leases import JobStop, LeaseKeeper
from tests import factories
from tests.servers import Postgres, wait_until

QUICK = Settings(lease_seconds=2, heartbeat_seconds=0.3, self_stop_seconds=1)


def _claimed(database: Database, app: str = "blog") -> Job:
    with database.transaction() as tx:
        factories.add_job(tx, app=app)
    return factories.claim(database, lease=QUICK.lease_seconds)


def _left(database: Database) -> float:
    with database.transaction() as tx:
        return float(tx.scalar(text("SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM jobs")) or 0)


def _reason(stop: JobStop) -> Callable[[], bool]:
    return lambda: stop.reason is not None


def test_a_held_job_is_not_taken_away_however_long_it_takes(database: Database) -> None:
    job = _claimed(database)
    with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        assert not stop.wait(2.5)
        assert sweep(database, max_claims=5).moved == 0
        assert _left(database) > 0.5


def test_the_time_since_the_claim_counts_for_a_job_that_began_later(database: Database) -> None:
    job = _claimed(database)
    with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence, time.monotonic() - 1.5) as stop:
        assert stop.reason == "lease_lost"


def test_a_job_that_has_left_is_not_kept_alive(database: Database) -> None:
    job = _claimed(database)
    with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence):
        pass
    wait_until(lambda: sweep(database, max_claims=5).moved == 1, 4, "the lease runs out")


def test_a_cancel_reaches_the_job_with_a_heartbeat(database: Database) -> None:
    job = _claimed(database)
    with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        with database.transaction() as tx:
            tx.execute(update(JobRow).values(cancel_requested_at=text("clock_timestamp()")))
        wait_until(_reason(stop), 3, "the job hears of it")
        assert stop.reason == "cancelled"
        with pytest.raises(Stopped, match="cancelled"):
            stop.check()


def test_a_cancel_does_not_wait_for_the_heartbeat(database: Database) -> None:
    job = _claimed(database)
    keeper = LeaseKeeper(
        database, Settings(heartbeat_seconds=60, lease_seconds=300, self_stop_seconds=240), JobClass.DEPLOY
    )
    with keeper.holding(job.fence) as stop:
        CancelListener(database, database.url, keeper)
        wait_until(lambda: _listens(database), 5, "the worker listens")
        dispatch.request_cancel(factories.intake(database), job.id, actor="ann")
        wait_until(_reason(stop), 2, "the job hears of it")


def _listens(database: Database) -> bool:
    with database.transaction() as tx:
        return bool(tx.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN norn_cancels'")))


def test_a_job_whose_lease_was_taken_stops(database: Database) -> None:
    job = _claimed(database)
    with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        with database.transaction() as tx:
            tx.execute(update(JobRow).values(lease_token=job.fence.token + 1))
        wait_until(_reason(stop), 3, "the job hears of it")
        assert stop.reason == "lease_lost"


@contextmanager
def _locked(database: Database, job: Job) -> Iterator[None]:
    """Locks the row of a job in another session."""
    with database.transaction() as tx:
        tx.execute(select(JobRow.id).where(JobRow.id == job.id).with_for_update())
        yield


def test_a_locked_row_stops_its_own_job_alone(database: Database) -> None:
    first, second = _claimed(database, "one"), _claimed(database, "two")
    keeper = LeaseKeeper(database, QUICK, JobClass.DEPLOY)
    with _locked(database, first), keeper.holding(first.fence) as stuck, keeper.holding(second.fence) as free:
        wait_until(_reason(stuck), 3, "the job gives itself up")
        assert (stuck.reason, free.reason, free.age < QUICK.self_stop_seconds) == ("lease_lost", None, True)


def test_a_row_that_is_locked_for_a_while_loses_no_lease(database: Database) -> None:
    patient = Settings(lease_seconds=30, heartbeat_seconds=0.3, self_stop_seconds=20)
    first, second = _claimed(database, "one"), _claimed(database, "two")
    keeper = LeaseKeeper(database, patient, JobClass.DEPLOY)
    with keeper.holding(first.fence) as stuck, keeper.holding(second.fence) as free:
        with _locked(database, first):
            wait_until(lambda: stuck.age > 1 > free.age, 10, "only the other lease is renewed")
        wait_until(lambda: stuck.age < 1, 10, "the lease is renewed again")
        assert stuck.reason is None


def test_a_cancel_reaches_a_job_whose_row_is_locked(database: Database) -> None:
    job = _claimed(database)
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(cancel_requested_at=text("clock_timestamp()")))
    with _locked(database, job), LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        wait_until(_reason(stop), 3, "the job hears of it")
        assert stop.reason == "cancelled"


def test_a_frozen_session_loses_its_locks_before_a_job_stops_itself(database: Database) -> None:
    with database.transaction() as tx:
        limit = tx.scalar(text("SELECT CAST(current_setting('idle_in_transaction_session_timeout') AS interval)"))
    assert limit.total_seconds() <= Settings().self_stop_seconds / 2


def test_a_job_stops_itself_when_the_database_stays_away(private_dir: Path) -> None:
    """The job stops ten seconds before another worker may take it over; the test uses a tenth of all times."""
    server = Postgres(private_dir / "away")
    try:
        server.execute("CREATE DATABASE norn")
        migrate.upgrade(server.url("norn"))
        database = Database(server.url("norn"))
        job = _claimed(database)
        with LeaseKeeper(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
            server.stop()
            wait_until(_reason(stop), 10, "the job gives itself up")
            assert stop.reason == "lease_lost"
        database.dispose()
    finally:
        server.stop()


@pytest.mark.parametrize(("job_class", "at_once"), [(JobClass.DEPLOY, True), (JobClass.INVOKE, False)])
def test_a_drain_stops_a_build_at_once_and_lets_a_call_go_on(
    database: Database, job_class: JobClass, at_once: bool
) -> None:
    job = _claimed(database)
    heart = LeaseKeeper(database, QUICK, job_class)
    with heart.holding(job.fence) as stop:
        heart.drain()
        assert stop.wait(1.5) is at_once
    assert heart.draining


def test_a_drain_by_row_reaches_the_worker_with_a_heartbeat(database: Database) -> None:
    job = _claimed(database)
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None))
        workers.drain(tx, "w1")
    heart = LeaseKeeper(database, QUICK, JobClass.DEPLOY)
    with heart.holding(job.fence):
        wait_until(lambda: heart.draining, 3, "the worker hears of it")


def test_a_new_process_under_an_old_name_is_not_draining(database: Database) -> None:
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None))
        workers.drain(tx, "w1")
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 2, 2, "e", None, process="2"), first=True)
        assert not workers.is_draining(tx, "w1")
        assert tx.scalar(select(text("pid")).select_from(text("workers"))) == 2


def test_a_process_whose_name_another_one_has_taken_neither_reports_nor_drains_nor_removes_that_one(
    database: Database,
) -> None:
    old, new = (workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None, process=name) for name in "ab")
    with database.transaction() as tx:
        workers.say(tx, old, first=True)
        workers.say(tx, new, first=True)
        with pytest.raises(Conflict, match="another process has taken the name w1"):
            workers.say(tx, old)
        workers.drain(tx, "w1", process="a")
        workers.leave(tx, "w1", "a")
        holder = workers.holder(tx, "w1")
        assert (holder and holder.process, workers.is_draining(tx, "w1")) == ("b", False)
