"""PostgreSQL stops while a job runs: this is no failure of the app, and finished work is not lost."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from norn_tasks.domain.errors import DatabaseDown, LeaseLost
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.store.database.session import ROUTES, Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.tables import JobRow, ReplicaRow
from norn_tasks.store_adapters.build_queue import BuildQueueRows
from norn_tasks.store_adapters.replicas import ReplicaTable
from norn_tasks.worker.leases import JobStop
from tests import factories
from tests.cron_kit import Cron
from tests.fakes.runtime import Does
from tests.fakes.stop import FakeWatch
from tests.servers import Postgres, wait_until

ENDED = StepEnd(StepState.SUCCEEDED, ends=JobState.SUCCEEDED)
REPLICA = Replica("c1", "blog", 1, 1, ReplicaState.STARTING, "10.0.0.1:80")


@pytest.fixture
def away(postgres: Postgres, database: Database) -> Iterator[Callable[..., None]]:
    """A function that makes the database unreachable for some seconds, at once or after a delay, while the test
    continues.
    """
    threads: list[threading.Thread] = []

    def for_seconds(seconds: float, later: float = 0) -> None:
        gone = threading.Event()

        def outage() -> None:
            time.sleep(later)
            with postgres.away(database.url):
                gone.set()
                time.sleep(seconds)

        threads.append(threading.Thread(target=outage))
        threads[-1].start()
        if not later:
            gone.wait(10)

    yield for_seconds
    for thread in threads:
        thread.join()


def _claimed(database: Database) -> Job:
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY)
    return factories.claim(database)


def test_a_run_that_ended_in_an_outage_keeps_its_end_and_its_output(
    database: Database, away: Callable[..., None]
) -> None:
    """The outage is longer than the retries, and longer than the time after which the job considers its lease lost."""
    cron = Cron(database)
    cron.add("report")
    cron.outage("report", timedelta(minutes=1))
    cron.round()
    away(3, later=0.6)
    assert cron.play(cron.claim(), Does(0, b"the sum is 4\n", seconds=1), stop=JobStop(1.5)) is JobState.SUCCEEDED
    (run,) = cron.runs()
    assert (run.state, run.exit_code, cron.jobs()[0].state) == ("succeeded", 0, "succeeded")
    assert run.stdout == "the sum is 4\n"


def test_the_end_of_a_job_that_was_taken_away_meanwhile_is_not_written(
    database: Database, away: Callable[..., None]
) -> None:
    job = _claimed(database)
    with database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET lease_token = nextval('fence')"))
    away(1)
    with pytest.raises(LeaseLost):
        Ledger(database, patience=0).end_step(job.fence, StepPosition(1, "one"), ENDED)


def test_a_process_that_leaves_gives_up_after_its_patience(database: Database, away: Callable[..., None]) -> None:
    job = _claimed(database)
    away(2)
    with pytest.raises(DatabaseDown):
        Ledger(database, patience=0, leaving=lambda: True).end_step(job.fence, StepPosition(1, "one"), ENDED)


REPLICA_MOVES: list[Callable[[ReplicaTable, Fence], object]] = [
    lambda table, _: table.of_app("blog"),
    lambda table, fence: table.starting(REPLICA, fence),
    lambda table, fence: table.live("c1", "10.0.0.1:80", fence),
    lambda table, fence: table.leaving("c1", fence),
    lambda table, _: table.drained("c1"),
    lambda table, fence: table.gone("c1", fence),
]


@pytest.mark.parametrize("move", REPLICA_MOVES, ids=range(len(REPLICA_MOVES)))
def test_a_rollout_waits_for_the_rows_of_its_replicas(
    database: Database, away: Callable[..., None], move: Callable[[ReplicaTable, Fence], object]
) -> None:
    job = _claimed(database)
    table = ReplicaTable(database, patience=20)
    table.starting(REPLICA, job.fence)
    away(1)
    move(table, job.fence)


def _somebody_waits(database: Database) -> bool:
    with database.transaction() as tx:
        return bool(tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_rollout_that_gave_way_to_another_change_of_its_rows_tries_again(database: Database) -> None:
    """Two transactions wait for each other, and PostgreSQL rolls back the one of the rollout."""
    job = _claimed(database)
    table = ReplicaTable(database, patience=20)
    table.starting(REPLICA, job.fence)
    held, other = threading.Event(), threading.Event()

    def against() -> None:
        with database.transaction() as tx:
            tx.execute(text("SET LOCAL deadlock_timeout = '60s'"))
            tx.execute(update(ReplicaRow).values(address="x"))
            held.set()
            other.wait(10)
            wait_until(lambda: _somebody_waits(database), 10, "the rollout waits for this row")
            tx.execute(update(JobRow).values(app="blog"))

    thread = threading.Thread(target=against)
    thread.start()
    held.wait(10)
    other.set()
    table.live("c1", "10.0.0.1:80", job.fence)
    thread.join()
    assert table.of_app("blog")[0].state == ReplicaState.LIVE


def test_a_build_asks_for_its_turn_until_the_database_is_back(database: Database, away: Callable[..., None]) -> None:
    job = _claimed(database)
    away(1)
    watch = FakeWatch(job=job.id, token=job.fence.token).watch
    with BuildQueueRows(database, lambda: "e1").turn(watch), database.transaction() as tx:
        assert list(tx.scalars(text("SELECT job_id FROM builds"))) == [job.id]


def test_a_server_that_was_cut_off_without_a_word_is_missed_within_seconds(database: Database) -> None:
    """No refusal arrives in this case: only the timeouts of the socket end the wait."""
    listener = database.listen(ROUTES)
    with database.transaction() as tx:
        used: Any = tx.connection.dbapi_connection
        found = [_missed_after(used.fileno()), _missed_after(listener._connection.fileno())]
    listener.close()
    assert found == [(1, 5, 2, 3, 10_000)] * 2


def _missed_after(descriptor: int) -> tuple[int, ...]:
    """Returns the socket's options: whether keepalive is on, the seconds before the first probe, the seconds between
    probes, the number of probes, and the milliseconds after which unacknowledged data break the connection.
    """
    options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    with socket.socket(fileno=os.dup(descriptor)) as there:
        told = [there.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) for option in options]
        return (there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *told)
