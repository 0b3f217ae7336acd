"""Retries of runs: their number and pauses are those of the spec, and the code and the record get the true number of
the attempt.
"""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobState
from norn_tasks.ports import Run
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.worker.leases import JobStop
from tests import factories
from tests.cron_kit import MINUTE, Cron
from tests.fakes.engine import FakeContainer
from tests.fakes.runtime import Does, FakeRuntime

TWO = "retries: {max: 2, backoff: 30s}"
BAD = Does(exit_code=3, stderr=b"no\n")


@pytest.fixture
def cron(database: Database) -> Cron:
    return Cron(database)


def _fired(cron: Cron, more: str) -> None:
    cron.add("report", "* * * * *", more)
    cron.outage("report", MINUTE)
    assert cron.round() == 1


def _ripe(cron: Cron) -> float:
    """Ends the pause before the next attempt at once; returns how many seconds it had left."""
    with cron.database.transaction() as tx:
        left = text("SELECT extract(epoch FROM run_after - clock_timestamp())::float8 FROM jobs")
        pause = float(tx.scalar(left) or 0)
    cron.execute("UPDATE jobs SET run_after = clock_timestamp()")
    return pause


def test_a_failed_run_is_tried_again_until_its_tries_are_used_up(cron: Cron) -> None:
    _fired(cron, TWO)
    runtime = FakeRuntime()
    pauses = []
    for _ in range(2):
        cron.play(cron.claim(), BAD, runtime)
        (job,), (run,) = cron.jobs(), cron.runs()
        assert (job.state, run.state, run.exit_code, run.stderr) == ("queued", "pending", 3, "no\n")
        pauses.append(_ripe(cron))
    assert cron.play(cron.claim(), BAD, runtime) is JobState.FAILED
    (job,), (run,) = cron.jobs(), cron.runs()
    assert (job.state, job.runs, run.state, run.attempt) == ("failed", 3, "failed", 3)
    assert [ran.env["NORN_ATTEMPT"] for ran in runtime.ran] == ["1", "2", "3"]
    assert 28 < pauses[0] <= 30 and 58 < pauses[1] <= 60


def test_a_try_that_goes_well_ends_it(cron: Cron) -> None:
    _fired(cron, TWO)
    cron.play(cron.claim(), BAD)
    _ripe(cron)
    assert cron.play(cron.claim(), Does()) is JobState.SUCCEEDED
    (run,), (tick,) = cron.runs(), cron.ticks()
    assert (run.state, run.attempt, run.cause, tick.verdict) == ("succeeded", 2, "", "fired")


def test_without_retries_a_failed_run_has_ended(cron: Cron) -> None:
    _fired(cron, "")
    assert cron.play(cron.claim(), BAD) is JobState.FAILED
    assert [job.state for job in cron.jobs()] == ["failed"]


def test_what_cannot_be_executed_is_not_tried_again(cron: Cron) -> None:
    _fired(cron, TWO)
    cron.play(cron.claim(), Does(exit_code=127))
    assert [(job.state, job.runs) for job in cron.jobs()] == [("failed", 1)]


def test_between_two_tries_the_run_goes_on_and_keeps_its_slot(cron: Cron) -> None:
    _fired(cron, TWO)
    cron.play(cron.claim(), BAD)
    cron.execute("UPDATE cron_ticks SET scheduled_for = scheduled_for - interval '1 min'")
    cron.outage("report", MINUTE)
    assert cron.round() == 0
    assert cron.verdicts() == [("fired", 1), ("skipped_overlap", 1)]
    held = cron.rows(text("SELECT job_id FROM slots WHERE app = 'report'"))
    assert [row.job_id for row in held] == [cron.jobs()[0].id]


def test_a_try_costs_no_claim(cron: Cron) -> None:
    _fired(cron, "retries: {max: 9, backoff: 1s}")
    for _ in range(9):
        cron.play(cron.claim(), BAD)
        _ripe(cron)
    assert [(job.state, job.claims, job.runs) for job in cron.jobs()] == [("queued", 0, 9)]


def test_a_cancelled_run_is_not_tried_again(cron: Cron) -> None:
    _fired(cron, TWO)
    job = cron.claim()
    cron.execute("UPDATE jobs SET cancel_requested_at = clock_timestamp()")
    cron.play(job, BAD)
    assert [job.state for job in cron.jobs()] == ["failed"]


def test_a_cancelled_run_keeps_what_it_wrote(cron: Cron) -> None:
    _fired(cron, TWO)
    job, stop = cron.claim(), JobStop()
    cron.execute("UPDATE jobs SET cancel_requested_at = clock_timestamp(), cancel_by = 'ann'")
    later = threading.Timer(0.3, stop.set, ["cancelled"])
    later.start()
    assert cron.play(job, Does(stdout=b"half\n", seconds=60, last_words="bye\n"), stop=stop) is JobState.CANCELLED
    [run] = cron.runs()
    assert (run.state, run.stdout, run.exit_code) == ("cancelled", "half\nbye\n", 143)


def test_a_worker_lost_in_the_run_costs_one_try(cron: Cron) -> None:
    """The container is gone and the outcome unknown. An attempt is left, so the run begins again."""
    _fired(cron, TWO)
    job = cron.claim()
    cron.begun(job)
    cron.execute("UPDATE jobs SET container = NULL, lease_until = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    runtime = FakeRuntime()
    assert cron.play(cron.claim(), Does(), runtime) is JobState.SUCCEEDED
    assert [ran.env["NORN_ATTEMPT"] for ran in runtime.ran] == ["2"]


def test_an_image_that_is_gone_has_failed_to_start(cron: Cron) -> None:
    _fired(cron, TWO)
    cron.play(cron.claim(), Does(), FakeRuntime(images=set()))
    (tick,), (job,) = cron.ticks(), cron.jobs()
    assert (tick.verdict, job.state, job.error["code"]) == ("failed_to_start", "error", "release_gone")
    assert "no longer on this engine" in tick.reason


def test_a_run_that_two_draining_workers_leave_is_waited_for_by_the_third(cron: Cron) -> None:
    """The container continues all the while, and the run keeps its slot."""
    _fired(cron, "")
    runtime = FakeRuntime()
    for worker in ("w1", "w2"):
        stop = JobStop()
        threading.Timer(0.3, stop.set, ["draining"]).start()
        assert cron.play(cron.claim(worker), Does(seconds=2), runtime, stop) is None
        held = cron.rows(text("SELECT job_id FROM slots WHERE app = 'report'"))
        assert [(job.state, job.adopt, job.id) for job in cron.jobs()] == [("queued", True, held[0].job_id)]
    assert cron.play(cron.claim("w3"), Does(seconds=2), runtime) is JobState.SUCCEEDED
    assert (len(runtime.ran), [job.runs for job in cron.jobs()]) == (1, [1])


def test_a_try_that_never_began_gives_back_no_earlier_one(cron: Cron) -> None:
    """The worker of the second attempt dies after its container was recorded and before it started. One attempt was
    used up before, and that stays so.
    """
    _fired(cron, TWO)
    runtime = FakeRuntime()
    cron.play(cron.claim(), BAD, runtime)
    _ripe(cron)
    job = cron.claim("w2")
    runtime.containers["c9"] = FakeContainer("c9", runtime.ran[0], fence=job.fence.token, created=0.0)
    Ledger(cron.database, patience=1).record_container(job.fence, factories.container("c9"))
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    cron.play(cron.claim("w3"), BAD, runtime)
    assert [job.runs for job in cron.jobs()] == [2]
    assert [ran.env["NORN_ATTEMPT"] for ran in runtime.ran] == ["1", "2"]


def test_a_run_that_never_began_is_there_again_also_when_the_engine_is_away_just_then(cron: Cron) -> None:
    """The worker dies between `begin` and `start`; the next worker takes the `begin` back, although the engine does not
    respond at first.
    """
    _fired(cron, "")
    job = cron.claim()
    cron.begun(job)
    runtime = FakeRuntime()
    execution = job.required_execution().id
    name, owner = f"norn-x-{execution}", f"execution:{execution}"
    run = Run(name, "report", owner, "sha256:1", None, {}, timeout=60, memory=2**20, cpus=1)
    runtime.containers[name] = FakeContainer(name, run, fence=job.fence.token, created=0.0)
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    runtime.on.down = True
    threading.Timer(0.5, lambda: setattr(runtime.on, "down", False)).start()
    assert cron.play(cron.claim("w2"), Does(), runtime, patience=20) is JobState.SUCCEEDED
    assert ([job.runs for job in cron.jobs()], [ran.env["NORN_ATTEMPT"] for ran in runtime.ran]) == ([1], ["1"])
