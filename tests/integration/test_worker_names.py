"""A worker's name belongs to one living process, as far as another process can know."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.worker import naming
from norn_tasks.worker.process_id import ProcessId, unique_name
from tests import factories

ELSEWHERE = "other-boot/4026531836/7/100"
OWN = ProcessId.own()


def report(database: Database, process: str, *, silent: float = 0) -> None:
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.INVOKE, "far", 7, 4, None, None, process=process), first=True)
        tx.execute(text("UPDATE workers SET seen_at = seen_at - make_interval(secs => :s)"), {"s": silent})


@pytest.fixture
def reporting(database: Database) -> Iterator[None]:
    """Simulates a process on another machine that reports regularly."""
    report(database, ELSEWHERE)
    gone = threading.Event()

    def speak() -> None:
        while not gone.wait(0.2):
            report(database, ELSEWHERE)

    thread = threading.Thread(target=speak)
    thread.start()
    yield
    gone.set()
    thread.join()


def test_the_name_of_a_process_that_reports_from_another_machine_is_refused(
    database: Database, reporting: None
) -> None:
    with pytest.raises(Conflict, match="a worker named w1 is there already: process 7 on far"):
        naming.acquire(database, "w1", OWN)


@pytest.mark.parametrize("silent", [16.0, 14.0], ids=["silent for long", "becomes silent"])
def test_the_name_of_a_process_that_fell_silent_elsewhere_is_free(database: Database, silent: float) -> None:
    report(database, ELSEWHERE, silent=silent)
    naming.acquire(database, "w1", OWN)


def ended_here() -> ProcessId:
    """Returns a process of this machine that has ended."""
    with subprocess.Popen(["sleep", "60"]) as child:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        theirs = ProcessId(OWN.boot, OWN.namespace, child.pid, fields[19])
        assert not OWN.knows_ended(theirs)
        child.kill()
        child.wait()
        assert OWN.knows_ended(theirs)
    return theirs


def test_the_name_of_a_process_that_ended_on_this_machine_is_free_at_once(database: Database) -> None:
    report(database, str(ended_here()))
    naming.acquire(database, "w1", OWN)


def leased(database: Database, worker: str) -> int:
    with database.transaction() as tx:
        factories.add_job(tx, app=f"of-{worker}")
    return factories.claim(database, worker).fence.job


def test_leases_of_a_process_that_ended_here_end_with_the_start_of_the_next_one(database: Database) -> None:
    jobs = [leased(database, worker) for worker in ("w1", "w2")]
    report(database, str(ended_here()))
    naming.acquire(database, "w1", OWN)
    assert sweep(database, max_claims=5).moved == 1
    with database.transaction() as tx:
        states = tx.execute(text("SELECT state FROM jobs WHERE id = ANY(:ids) ORDER BY id"), {"ids": jobs}).scalars()
        assert list(states) == ["queued", "running"]


@pytest.mark.parametrize("silent", [0.0, 20.0])
def test_leases_of_a_process_that_may_live_elsewhere_last_as_long_as_ever(database: Database, silent: float) -> None:
    leased(database, "w1")
    report(database, ELSEWHERE, silent=silent)
    assert (naming._living(database, "w1", OWN) is None) == (silent > naming.SILENCE)
    assert sweep(database, max_claims=5).moved == 0


def test_a_pid_that_another_process_has_now_is_not_the_process_that_had_it() -> None:
    assert OWN.knows_ended(ProcessId(OWN.boot, OWN.namespace, OWN.pid, "1"))


def test_names_that_nobody_chose_differ() -> None:
    assert len({unique_name("invoke") for _ in range(100)}) == 100
