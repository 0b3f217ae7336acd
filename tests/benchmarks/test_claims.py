"""Measures the claim of a job among a million past jobs and 10,000 ready ones, of 1, 20 or 5,000 apps; the goal is 20
ms at p99.

Each call reserves memory of its engine. In the second half of the test the engine has no memory left, and a claim finds
no job.
"""

from __future__ import annotations

import statistics
import time

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from tests import factories, ledger_kit

PAST, READY, CLAIMS = 1_000_000, 10_000, 1_000
LIMIT = 0.020
NEED, ROOM, KEPT = 256 * 2**20, 16, 2
"""The memory that a call needs; how many calls the engine has memory for; how many claimed calls keep running."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("apps", [1, 20, 5_000])
def test_a_claim_among_a_million_past_jobs(database: Database, apps: int) -> None:
    """Each claimed job is ended before the next claim, except two that keep running, so that limits and fairness have
    an effect.
    """
    ledger_kit.fill(database, past=PAST, ready=READY, apps=apps)
    ledger, found, refused = Ledger(database, patience=0), [], []
    _engine_has(database, ROOM)
    for n in range(CLAIMS):
        job = _claim(database, found)
        assert job is not None
        if n >= KEPT:
            ledger.finish(job.fence, JobState.SUCCEEDED)
    _engine_has(database, KEPT)
    for _ in range(CLAIMS):
        assert _claim(database, refused) is None
    with database.transaction() as tx:
        past = tx.scalar(text("SELECT count(*) FROM jobs WHERE state = 'succeeded'"))
    print(f"\n{past:,} past and {READY:,} ready jobs of {apps:,} apps (to hold: p99 20 ms)")
    print(f"  claim:                  {_told(found)}\n  claim, the memory full: {_told(refused)}")
    assert (_p99(found) <= LIMIT, _p99(refused) <= LIMIT) == (True, True)


def _engine_has(database: Database, calls: int) -> None:
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, calls * NEED, NEED)


def _claim(database: Database, took: list[float]) -> Job | None:
    begun = time.perf_counter()
    job = take(database, factories.claimer("w", JobClass.INVOKE, lease=3600))
    took.append(time.perf_counter() - begun)
    return job


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def _told(took: list[float]) -> str:
    p50, p99, most = (1000 * each for each in (statistics.median(took), _p99(took), max(took)))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {most:.1f} ms"
