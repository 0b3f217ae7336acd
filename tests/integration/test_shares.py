"""No app occupies all slots of a worker, and deploys occupy at most half of them; a waiting job names what it waits
for.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.celery_app import Waker
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.settings import Settings
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.engines import EngineMembership
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import builds, jobs_read, readiness
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.worker.engines import EngineIdentity, WorkerTools
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.shares import Shares
from tests import factories
from tests.servers import Broker, wait_until

SLOTS = 4


class Hangs(Step):
    """A step that runs until the test is over."""

    name = "hangs"

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def run(self, context: StepContext) -> Learned | None:
        self._over.wait(60)
        return None


Begin = Callable[[JobClass], None]


@pytest.fixture
def begin(database: Database, broker: Broker, tmp_path: Path) -> Iterator[Begin]:
    """Starts every thread of a worker with four slots, whose jobs hang until the end of the test."""
    over, threads = threading.Event(), list[threading.Thread]()
    settings = Settings(database_url=database.url, broker_url=broker.url)
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    pipelines = {kind: lambda _: (Hangs(over),) for kind in JobKind}
    runner = Runner(
        Ledger(database, patience=1), cast(Tools, SimpleNamespace(limits=limits)), StepOutput(database),
        pipelines=cast(Any, pipelines),
    )  # fmt: skip
    processes: dict[JobClass, WorkerProcess] = {}

    def worker(job_class: JobClass) -> WorkerProcess:
        has = WorkerTools(runtimes={"docker": "main"})
        identity = EngineIdentity(lambda: factories.ENGINE, lambda _: EngineMembership(home=True), has=has)
        identity.look()
        with database.transaction() as tx:
            presence = workers.Presence("w1", job_class, "host", 1, SLOTS, factories.ENGINE, None)
            workers.say(tx, replace(presence, capabilities=identity.capabilities))
        return WorkerProcess(
            name="w1", job_class=job_class, settings=settings, database=database, live=Live(broker.url),
            waker=Waker(broker.url), leases=LeaseKeeper(database, settings, job_class), engine=identity, runner=runner,
            shares=Shares(job_class, SLOTS),
        )  # fmt: skip

    def wake(job_class: JobClass) -> None:
        process = processes.setdefault(job_class, worker(job_class))
        woken = [threading.Thread(target=process.work) for _ in range(SLOTS)]
        for thread in woken:
            thread.start()
        threads.extend(woken)

    yield wake
    over.set()
    for thread in threads:
        thread.join(30)


def running(database: Database) -> Counter[str]:
    """Returns how many jobs of each app run."""
    with database.transaction() as tx:
        return Counter(tx.scalars(text("SELECT app FROM jobs WHERE state = 'running'")))


def add_calls(database: Database, app: str, count: int) -> list[int]:
    with database.transaction() as tx:
        release = releases.require_live(tx, app)
        return [runs.accept_call(tx, release, Call(), sync=False, actor="t", patience=60).job for _ in range(count)]


def waits(database: Database, job: int) -> str | None:
    with database.transaction() as tx:
        return jobs_read.get(tx, job).waits


def test_an_app_whose_calls_hang_leaves_a_slot_to_the_others(database: Database, begin: Begin) -> None:
    for app in ("noisy", "quiet"):
        factories.add_live(database, app, at_once=1000)
    *_, last = add_calls(database, "noisy", 20)
    begin(JobClass.INVOKE)
    wait_until(lambda: running(database)["noisy"] == 3, 20, "the app has its share")
    time.sleep(0.5)
    assert running(database) == {"noisy": 3}
    assert waits(database, last) == (
        "waits: noisy has its share of the invoke workers, and the other slots are for other apps"
    )
    with database.transaction() as tx:
        assert readiness.startable(tx) == []
    add_calls(database, "quiet", 1)
    begin(JobClass.INVOKE)
    wait_until(lambda: running(database)["quiet"] == 1, 10, "the other app's call runs")


def test_one_offs_count_as_runs_of_their_app(database: Database, begin: Begin) -> None:
    for app in ("noisy", "quiet"):
        factories.add_live(database, app, "cron")
    intake = factories.intake(database)
    for _ in range(SLOTS):
        dispatch.request_run(intake, "noisy", command=("sleep", "1d"), timeout=None, actor="t")
    begin(JobClass.CRON)
    wait_until(lambda: running(database)["noisy"] == 3, 20, "the app has its share")
    dispatch.request_run(intake, "quiet", command=("date",), timeout=None, actor="t")
    begin(JobClass.CRON)
    wait_until(lambda: running(database)["quiet"] == 1, 10, "the other app's command runs")


def test_a_rollback_begins_while_more_deploys_wait_than_the_worker_has_slots(database: Database, begin: Begin) -> None:
    with database.transaction() as tx:
        spec = factories.spec("app").frozen()
        deploys = [factories.add_job(tx, JobKind.DEPLOY, f"app-{n}", spec=spec) for n in range(6)]
    begin(JobClass.DEPLOY)
    wait_until(lambda: sum(running(database).values()) == 2, 20, "deploys have their half")
    time.sleep(0.5)
    # Threads that claim at the same time may take the third deploy before the second.
    taken = sorted(running(database))
    assert len(taken) == 2
    named = ", ".join(f"the deploy of {app} (job {deploys[int(app[-1])]})" for app in taken)
    waiting = next(job for n, job in enumerate(deploys) if f"app-{n}" not in taken)
    assert waits(database, waiting) == f"waits for {named}: deploys get half of the slots of a worker"
    with database.transaction() as tx:
        assert readiness.startable(tx) == []
        factories.add_job(tx, JobKind.ROLLBACK, "shop", spec=spec)
    begin(JobClass.DEPLOY)
    wait_until(lambda: running(database)["shop"] == 1, 10, "the rollback runs")


def test_a_change_that_finds_no_slot_names_what_has_them(database: Database, begin: Begin) -> None:
    with database.transaction() as tx:
        rest = [factories.add_job(tx, JobKind.RESTART, f"app-{n}") for n in range(SLOTS)]
    begin(JobClass.DEPLOY)
    wait_until(lambda: sum(running(database).values()) == SLOTS, 20, "all slots are taken")
    with database.transaction() as tx:
        job = factories.add_job(tx, JobKind.ROLLBACK, "shop")
    named = ", ".join(f"the restart of app-{n} (job {job})" for n, job in enumerate(rest[:3]))
    assert waits(database, job) == f"waits for a worker: all 4 slots are taken, by {named} and 1 more"


def test_without_a_worker_a_job_says_so(database: Database) -> None:
    with database.transaction() as tx:
        job = factories.add_job(tx, JobKind.ROLLBACK, "shop")
    assert waits(database, job) == "waits for a worker: no deploy worker is there"


def test_a_job_that_waits_for_its_turn_to_build_is_not_ready_and_names_the_build(database: Database) -> None:
    with database.transaction() as tx:
        for app in ("slow", "blog"):
            factories.add_job(tx, JobKind.DEPLOY, app)
    slow, blog = factories.claim(database), factories.claim(database)
    with database.transaction() as tx:
        builds.take(tx, factories.ENGINE, slow.fence)
        builds.take(tx, factories.ENGINE, blog.fence)
    Ledger(database, patience=1).hand_back(blog.fence, adopt=False, postponed=True)
    assert waits(database, blog.id) == (
        f"waits for the build of slow (job {slow.id}) to end: one build at a time per engine"
    )
