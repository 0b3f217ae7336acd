"""A worker with an engine that does not respond, responds again, was replaced, is refused, or is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import EngineDown
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.placement import HOME
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
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.worker.engines import EngineIdentity, WorkerTools
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.liveness import Liveness
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.presence import PresenceThread
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.shares import Shares
from tests import factories
from tests.fakes.engine import FakeEngine
from tests.fakes.images import FakeImages
from tests.fakes.runtime import FakeRuntime
from tests.servers import Broker, wait_until


def worker(
    database: Database, broker: Broker, standing: EngineMembership, runner: Runner,
    job_class: JobClass = JobClass.DEPLOY, ask: Callable[[], str] = lambda: "two", every: float = 5,
) -> WorkerProcess:  # fmt: skip
    """Makes a worker whose engine is `two` and has the given membership."""
    settings = Settings(database_url=database.url, broker_url=broker.url)
    return WorkerProcess(
        name="w1", job_class=job_class, settings=settings, database=database, live=Live(broker.url),
        waker=Waker(broker.url), leases=LeaseKeeper(database, settings, job_class),
        engine=EngineIdentity(ask, lambda _: standing, every=every), runner=runner,
        shares=Shares(job_class, 4),
    )  # fmt: skip


@pytest.fixture
def woken(database: Database, broker: Broker) -> Callable[[EngineMembership], int]:
    """A function that lets a worker whose engine has this membership handle a wake-up, and requires that it takes no
    job; returns the number of wake-ups that it sent on.
    """
    broker.client().flushall()

    def wake(standing: EngineMembership) -> int:
        assert worker(database, broker, standing, cast(Runner, None)).work() == 0
        return int(broker.client().llen("deploy"))  # type: ignore[arg-type]

    return wake


@pytest.mark.parametrize(
    "standing", [EngineMembership(home=False), EngineMembership(home=False, refused="no registry")]
)
def test_a_wakeup_for_home_is_handed_on(
    database: Database, woken: Callable[[EngineMembership], int], standing: EngineMembership
) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
    assert woken(standing) == 1


def test_where_nothing_waits_no_wakeup_is_handed_on(woken: Callable[[EngineMembership], int]) -> None:
    assert woken(EngineMembership(home=False)) == 0


class Creates(Step):
    """A step that only creates a container."""

    name = "create"

    def run(self, context: StepContext) -> Learned | None:
        context.hooks.created("c1")
        return None


def test_a_container_pins_its_job_to_the_engine_it_is_on_whatever_the_worker_said_last(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    """The worker's row had no engine, because the engine did not respond when the row was written."""
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, None, "it does not answer"))
        factories.add_job(tx, spec=factories.spec("blog").frozen())
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    pipelines = {JobKind.FORGE: lambda _: (Creates(),)}
    runtime, images = FakeRuntime(on=FakeEngine(id="two")), FakeImages()
    made = {"runtimes": {"docker": runtime}, "engines": {"docker": runtime.on}, "images": images}
    tools = cast(Tools, SimpleNamespace(limits=limits, **made))
    runner = Runner(Ledger(database, patience=1), tools, StepOutput(database), pipelines=pipelines)
    assert worker(database, broker, EngineMembership(home=True), runner).work() == 1
    with database.transaction() as tx:
        assert tx.execute(text("SELECT container, engine FROM jobs")).one() == ("c1", "two")


class Asked:
    """An engine that returns its id or does not respond."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = iter(answers)

    def __call__(self) -> str:
        answer = next(self._answers)
        if answer is None:
            raise EngineDown("it does not answer")
        return answer


def test_a_refused_worker_has_no_engine_and_says_why() -> None:
    identity = EngineIdentity(Asked("two"), lambda _: EngineMembership(home=False, refused="no registry"))
    identity.look()
    assert (identity.id, identity.error) == (None, "no registry")


def test_an_engine_that_was_away_is_asked_again() -> None:
    identity = EngineIdentity(Asked(None, "one"), lambda _: EngineMembership(home=True))
    seen: list[Any] = []
    for _ in range(3):
        identity.refresh()
        seen.append((identity.id, identity.error))
    assert seen == [(None, "it does not answer"), ("one", None), ("one", None)]


def test_an_engine_that_went_away_or_was_replaced_is_noticed_under_a_running_worker() -> None:
    identity = EngineIdentity(Asked("one", None, "two"), lambda _: EngineMembership(home=True), every=0)
    seen: list[Any] = []
    for _ in range(3):
        identity.refresh()
        seen.append((identity.id, identity.error))
    assert seen == [("one", None), (None, "it does not answer"), ("two", None)]


def test_an_answer_holds_for_a_while() -> None:
    identity = EngineIdentity(Asked("one"), lambda _: EngineMembership(home=True))
    for _ in range(3):
        identity.refresh()
    assert identity.id == "one"


def test_a_call_stays_in_the_queue_when_the_engine_of_its_worker_has_died(database: Database, broker: Broker) -> None:
    home = worker(
        database, broker, EngineMembership(home=True), cast(Runner, None), JobClass.INVOKE, Asked("two", None), every=0
    )
    assert home.work() == 0
    factories.add_live(database, "fn")
    with database.transaction() as tx:
        tx.execute(text("UPDATE releases SET engine = NULL"))
        release = releases.require_live(tx, "fn")
        runs.accept_call(tx, release, Call(), sync=False, actor="test", patience=60)
    assert home.work() == 0
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT state FROM jobs")) == "queued"


@pytest.mark.parametrize("answers", [("one", None), (None, None)], ids=["engine dies", "engine was never there"])
@pytest.mark.parametrize(("kind", "engine"), [(JobKind.DEPLOY, None), (JobKind.DEPLOY, HOME), (JobKind.FORGE, HOME)])
def test_what_needs_an_engine_is_left_to_other_workers_while_this_ones_is_away(
    database: Database, broker: Broker, answers: tuple[str | None, ...], kind: JobKind, engine: str | None
) -> None:
    """A function's deploy may run on any engine, and a webserver's on the home engine only."""
    with database.transaction() as tx:
        factories.add_job(tx, kind, spec=factories.spec("blog").frozen(), engine=engine)
    identity = EngineIdentity(Asked(*answers, None, None), lambda _: EngineMembership(home=True), every=0)
    for _ in answers:
        identity.look()
    assert replace(worker(database, broker, identity.standing, cast(Runner, None)), engine=identity).work() == 0


def test_a_change_is_not_taken_a_moment_after_the_engine_has_died(database: Database, broker: Broker) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, engine=HOME)
        workers.say(tx, workers.Presence("w2", JobClass.DEPLOY, "other", 1, 2, "one", None))
    identity = EngineIdentity(Asked("two", None, None), lambda _: EngineMembership(home=True))
    identity.look()
    assert replace(worker(database, broker, identity.standing, cast(Runner, None)), engine=identity).work() == 0


@pytest.mark.parametrize(("others", "taken"), [(False, 1), (True, 0)], ids=["alone", "with another"])
def test_a_change_that_only_a_worker_without_engine_could_do_ends_with_the_engines_error(
    database: Database, broker: Broker, others: bool, taken: int
) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, engine=HOME)
        tx.execute(text("UPDATE jobs SET run_after = clock_timestamp() - interval '1 min'"))
        if others:
            workers.say(tx, workers.Presence("w2", JobClass.DEPLOY, "other", 1, 2, "one", None))
    has = WorkerTools(runtimes={"docker": "main"})
    away = EngineIdentity(Asked(*[None] * 4), lambda _: EngineMembership(home=True), every=0, has=has)
    runner = cast(Runner, SimpleNamespace(run=lambda job, stop: None))
    process = replace(worker(database, broker, EngineMembership(home=True), runner), engine=away)
    assert process.work() == taken


def test_a_job_that_needs_no_engine_is_done_while_that_is_away(database: Database, broker: Broker) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.TEARDOWN, spec=factories.spec("blog").frozen())
    away = EngineIdentity(Asked(None, None, None), lambda _: EngineMembership(home=True), every=0)
    runner = cast(Runner, SimpleNamespace(run=lambda job, stop: None))
    process = replace(worker(database, broker, EngineMembership(home=True), runner), engine=away)
    assert process.work() == 1


def test_a_wakeup_is_handed_on_to_a_worker_whose_engine_answers(database: Database, broker: Broker) -> None:
    broker.client().flushall()
    away = EngineIdentity(Asked(*[None] * 4), lambda _: EngineMembership(home=True), every=0)
    process = replace(worker(database, broker, EngineMembership(home=True), cast(Runner, None)), engine=away)
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
    alone = (process.work(), broker.client().llen("deploy"))
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w2", JobClass.DEPLOY, "other", 1, 2, "one", None))
    assert (alone, process.work(), broker.client().llen("deploy")) == ((0, 0), 0, 1)


def said(database: Database, identity: EngineIdentity) -> None:
    """Writes a worker's report about itself, as the worker does every few seconds."""
    settings, live = Settings(database_url=database.url), Live(factories.NOWHERE)
    presence = PresenceThread(database, settings, [Liveness(database, live, "w1", JobClass.INVOKE)], identity)
    identity.look()
    with database.transaction() as tx:
        workers.say_all(tx, presence.presences())


def test_what_waits_for_an_engine_that_is_away_is_not_given_up_while_its_worker_is_there(database: Database) -> None:
    """The job is older than the two minutes after which an engine without any worker is given up."""
    with database.transaction() as tx:
        factories.add_job(tx, engine="one")
        tx.execute(text("UPDATE jobs SET created_at = clock_timestamp() - interval '5 min'"))
    identity = EngineIdentity(Asked("one", None), lambda _: EngineMembership(home=True))
    for _ in range(2):
        said(database, identity)
        sweep(database, max_claims=5)
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT state FROM jobs")) == "queued"
        with pytest.raises(EngineDown, match="it does not answer"):
            workers.require(tx, JobClass.INVOKE, within=15)
        assert workers.engine_of(tx, "w1") is None


def test_a_worker_that_is_refused_speaks_for_no_engine(database: Database) -> None:
    standings = iter((EngineMembership(home=True), EngineMembership(home=False, refused="no registry")))
    identity = EngineIdentity(Asked("one", "one"), lambda _: next(standings))
    for _ in range(2):
        said(database, identity)
    with database.transaction() as tx:
        assert tx.execute(text("SELECT engine, engine_error FROM workers")).one() == (None, "no registry")


class Slow:
    """An engine that is slow after its first response."""

    def __init__(self) -> None:
        self.asked, self.answer = 0, threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        if self.asked > 1:
            self.answer.wait(20)
        return "one"


def test_a_slow_engine_holds_up_one_thread_at_most() -> None:
    slow = Slow()
    identity = EngineIdentity(slow, lambda _: EngineMembership(home=True), every=0)
    identity.refresh()
    asking = threading.Thread(target=identity.refresh)
    asking.start()
    wait_until(lambda: slow.asked == 2, 10, "one thread asks")
    identity.refresh()
    assert (identity.id, slow.asked) == ("one", 2)
    slow.answer.set()
    asking.join()


class Hangs:
    """An engine that hangs after its first response, until the test ends that."""

    def __init__(self) -> None:
        self.asked, self.given_up = 0, threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        if self.asked > 1:
            self.given_up.wait(20)
            raise EngineDown("it does not answer")
        return "one"


def test_no_thread_takes_a_change_for_an_engine_that_another_thread_finds_hanging() -> None:
    hangs, seen = Hangs(), list[str | None]()
    identity = EngineIdentity(hangs, lambda _: EngineMembership(home=True))
    identity.refresh()
    asking = threading.Thread(target=identity.refresh, args=(0.0,))
    asking.start()
    wait_until(lambda: hangs.asked == 2, 10, "one thread asks before its claim")
    late = threading.Thread(target=lambda: (identity.refresh(0.0), seen.append(identity.id)))
    late.start()
    late.join(0.3)  # the thread would have claimed by now
    hangs.given_up.set()
    for thread in (asking, late):
        thread.join()
    assert (seen, hangs.asked) == ([None], 2)


def test_a_claim_does_not_wait_for_an_engine_that_is_known_to_hang() -> None:
    hangs = Hangs()
    identity = EngineIdentity(hangs, lambda _: EngineMembership(home=True))
    identity.refresh()
    threading.Timer(1.2, hangs.given_up.set).start()
    for within in (0.0, 0.0, None):
        identity.refresh(within)
    assert (identity.id, hangs.asked) == (None, 2)
    identity.look()
    identity.refresh()
    assert hangs.asked == 4


def test_those_who_know_no_engine_wait_for_one_answer() -> None:
    slow = Slow()
    slow.asked = 1
    identity = EngineIdentity(slow, lambda _: EngineMembership(home=True))
    seen: list[str | None] = []
    threads = [threading.Thread(target=lambda: (identity.refresh(), seen.append(identity.id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: slow.asked == 2, 10, "one thread asks")
    slow.answer.set()
    for thread in threads:
        thread.join()
    assert (seen, slow.asked) == (["one"] * 4, 2)
