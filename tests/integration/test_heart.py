"""The heart: keeps leases alive, hears of cancels and drains, and gives a job up before anyone else may take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.job import Job, JobClass
from norn_tasks.settings import Settings
from norn_tasks.store import migrate, workers
from norn_tasks.store.session import Database
from norn_tasks.store.sweeper import sweep
from norn_tasks.store.tables import JobRow
from norn_tasks.worker.heart import Heart, JobStop
from tests import factories
from tests.servers import Postgres, wait_until

QUICK = Settings(lease_seconds=2, heartbeat_seconds=0.3, self_stop_seconds=1)


def _claimed(database: Database) -> Job:
    with database.transaction() as tx:
        factories.add_job(tx)
    return factories.claim(database, lease=QUICK.lease_seconds)


def _left(database: Database) -> float:
    with database.transaction() as tx:
        return float(tx.scalar(text("SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM jobs")) or 0)


def _reason(stop: JobStop) -> Callable[[], bool]:
    return lambda: stop.reason is not None


def test_a_held_job_is_not_taken_away_however_long_it_takes(database: Database) -> None:
    job = _claimed(database)
    with Heart(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        assert not stop.wait(2.5)
        assert sweep(database, max_claims=5).moved == 0
        assert _left(database) > 0.5


def test_a_job_that_has_left_is_not_kept_alive(database: Database) -> None:
    job = _claimed(database)
    with Heart(database, QUICK, JobClass.DEPLOY).holding(job.fence):
        pass
    wait_until(lambda: sweep(database, max_claims=5).moved == 1, 4, "the lease runs out")


def test_a_cancel_reaches_the_job_with_a_heartbeat(database: Database) -> None:
    job = _claimed(database)
    with Heart(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        with database.transaction() as tx:
            tx.execute(update(JobRow).values(cancel_requested_at=text("clock_timestamp()")))
        wait_until(_reason(stop), 3, "the job hears of it")
        assert stop.reason == "cancelled"
        with pytest.raises(Stopped, match="cancelled"):
            stop.check()


def test_a_job_whose_lease_was_taken_stops(database: Database) -> None:
    job = _claimed(database)
    with Heart(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
        with database.transaction() as tx:
            tx.execute(update(JobRow).values(lease_token=job.fence.token + 1))
        wait_until(_reason(stop), 3, "the job hears of it")
        assert stop.reason == "lease_lost"


def test_a_job_stops_itself_when_the_database_stays_away(private_dir: Path) -> None:
    """Ten seconds before anyone may take it over, by the figures of the design; here by a tenth of them."""
    server = Postgres(private_dir / "away")
    try:
        server.execute("CREATE DATABASE norn")
        migrate.upgrade(server.url("norn"))
        database = Database(server.url("norn"))
        job = _claimed(database)
        with Heart(database, QUICK, JobClass.DEPLOY).holding(job.fence) as stop:
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
    heart = Heart(database, QUICK, job_class)
    with heart.holding(job.fence) as stop:
        heart.drain()
        assert stop.wait(1.5) is at_once
    assert heart.draining


def test_a_drain_by_row_reaches_the_worker_with_a_heartbeat(database: Database) -> None:
    job = _claimed(database)
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None))
        workers.drain(tx, "w1")
    heart = Heart(database, QUICK, JobClass.DEPLOY)
    with heart.holding(job.fence):
        wait_until(lambda: heart.draining, 3, "the worker hears of it")


def test_a_new_process_under_an_old_name_is_not_draining(database: Database) -> None:
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None))
        workers.drain(tx, "w1")
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 2, 2, "e", None))
        assert not workers.is_draining(tx, "w1")
        assert tx.scalar(select(text("pid")).select_from(text("workers"))) == 2


def test_a_new_process_in_a_container_may_have_the_old_ones_pid(database: Database) -> None:
    again = workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None)
    with database.transaction() as tx:
        workers.say(tx, again, first=True)
        workers.drain(tx, "w1")
        workers.say(tx, again)
        assert workers.is_draining(tx, "w1")
        workers.say(tx, again, first=True)
        assert not workers.is_draining(tx, "w1")
