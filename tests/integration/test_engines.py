"""Which engine is home, who is refused, and which jobs a worker may take where."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.celery_app import Waker
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import EngineDown
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.domain.placing import HOME
from norn_tasks.domain.step import Learned
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.settings import Settings
from norn_tasks.steps.step import Context, Step
from norn_tasks.store import engines, releases, runs, workers
from norn_tasks.store.claimed import take
from norn_tasks.store.claims import Claimer
from norn_tasks.store.engines import Standing
from norn_tasks.store.ledger import Ledger
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database
from norn_tasks.store.sweeper import sweep
from norn_tasks.worker.heart import Heart
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.presence import EngineIdentity
from norn_tasks.worker.process import WorkerProcess
from tests import factories
from tests.servers import Broker, wait_until


def speak(database: Database, engine: str, host: str = "a", *, registry: bool = False) -> Standing:
    with database.transaction() as tx:
        return engines.speak(tx, engine, host, registry=registry)


def silent(database: Database, seconds: int) -> None:
    with database.transaction() as tx:
        tx.execute(text(f"UPDATE instance SET engine_seen_at = clock_timestamp() - interval '{seconds} s'"))


def test_the_first_engine_is_home(database: Database) -> None:
    assert [speak(database, "one"), speak(database, "one")] == [Standing(home=True)] * 2


def test_a_second_engine_is_refused_with_the_setting(database: Database) -> None:
    speak(database, "one", "alpha")
    standing = speak(database, "two")
    assert not standing.home and standing.refused is not None
    assert "alpha" in standing.refused and "NORN_REGISTRY_URL" in standing.refused


def test_with_a_registry_it_is_welcome_and_not_home(database: Database) -> None:
    speak(database, "one")
    assert speak(database, "two", registry=True) == Standing(home=False)


@pytest.mark.parametrize(
    ("host", "registry", "home"), [("a", False, True), ("a", True, True), ("b", False, True), ("b", True, False)]
)
def test_an_engine_that_was_replaced_gives_its_place(database: Database, host: str, registry: bool, home: bool) -> None:
    speak(database, "one", "a")
    silent(database, 121)
    assert speak(database, "two", host, registry=registry).home is home


def test_for_two_minutes_it_does_not(database: Database) -> None:
    speak(database, "one")
    silent(database, 110)
    assert speak(database, "two").refused


def claimed(database: Database, standing: Standing, job_class: JobClass = JobClass.DEPLOY) -> bool:
    return take(database, Claimer("w1", job_class, "two", 30, 5, standing)) is not None


@pytest.mark.parametrize(("engine", "taken"), [(None, True), ("two", True), ("one", False), (HOME, False)])
def test_away_from_home_a_worker_takes_what_may_run_there(database: Database, engine: str | None, taken: bool) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=engine)
    assert claimed(database, Standing(home=False)) is taken


def test_at_home_it_takes_what_stays(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
    assert claimed(database, Standing(home=True))


@pytest.mark.parametrize(
    ("role", "more", "place"),
    [("webserver", "", HOME), ("worker", "", HOME), ("function", "", None), ("cron", "", None),
     ("cron", "volumes:\n  - {name: data, mountPath: /data, size: 1Gi}\n", HOME)],
)  # fmt: skip
def test_what_stays_is_forged_at_home(database: Database, role: str, more: str, place: str | None) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("blog", role, more), forged=False)
    job = dispatch.request_forge(factories.intake(database), "blog", force=False, actor="test").job
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT engine FROM jobs WHERE id = :job"), {"job": job}) == place


def test_what_waits_for_home_is_not_given_up_with_an_engine(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
        factories.add_job(tx, app="other", engine="gone")
        tx.execute(text("UPDATE jobs SET created_at = clock_timestamp() - interval '1 day'"))
    sweep(database, max_claims=5)
    with database.transaction() as tx:
        states = {row.engine: row.state for row in tx.execute(text("SELECT engine, state FROM jobs"))}
    assert states == {HOME: "queued", "gone": "error"}


def test_each_engine_beside_home_is_looked_at(database: Database) -> None:
    speak(database, "one")
    with database.transaction() as tx:
        for name, engine in (("a", "one"), ("b", "two"), ("c", "two")):
            workers.say(tx, workers.Presence(name, JobClass.OBSERVE, "host", 1, 2, engine, None))
    intake = factories.intake(database)
    for _ in range(2):
        dispatch.request_look(intake, actor="beat")
        dispatch.request_looks_elsewhere(intake, actor="beat")
    with database.transaction() as tx:
        looks = [tuple(row) for row in tx.execute(text("SELECT engine, args ->> 'home' FROM jobs ORDER BY id"))]
    assert looks == [(HOME, "true"), ("two", "false")]


# What a worker makes of it


def worker(
    database: Database, broker: Broker, standing: Standing, runner: Runner,
    job_class: JobClass = JobClass.DEPLOY, ask: Callable[[], str] = lambda: "two", every: float = 5,
) -> WorkerProcess:  # fmt: skip
    """Makes a worker of the engine `two`, which stands so."""
    settings = Settings(database_url=database.url, broker_url=broker.url)
    return WorkerProcess(
        name="w1", job_class=job_class, settings=settings, database=database, live=Live(broker.url),
        waker=Waker(broker.url), heart=Heart(database, settings, job_class),
        engine=EngineIdentity(ask, lambda _: standing, every=every), runner=runner,
    )  # fmt: skip


@pytest.fixture
def woken(database: Database, broker: Broker) -> Callable[[Standing], int]:
    """Wakes a worker of an engine that stands so, with a job in the queue; answers the wake-ups that it left."""
    broker.client().flushall()

    def wake(standing: Standing) -> int:
        assert worker(database, broker, standing, cast(Runner, None)).work() == 0
        return int(broker.client().llen("deploy"))  # type: ignore[arg-type]

    return wake


@pytest.mark.parametrize("standing", [Standing(home=False), Standing(home=False, refused="no registry")])
def test_a_wakeup_for_home_is_handed_on(
    database: Database, woken: Callable[[Standing], int], standing: Standing
) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
    assert woken(standing) == 1


def test_where_nothing_waits_no_wakeup_is_handed_on(woken: Callable[[Standing], int]) -> None:
    assert woken(Standing(home=False)) == 0


class Creates(Step):
    """Makes a container and leaves it at that."""

    name = "create"

    def run(self, context: Context) -> Learned | None:
        context.hooks.created("c1")
        return None


def test_a_container_pins_its_job_to_the_engine_it_is_on_whatever_the_worker_said_last(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    """The worker's row had no engine, because that did not answer when the row was written."""
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, None, "it does not answer"))
        factories.add_job(tx, spec=factories.spec("blog").to_json())
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, router_ports=(1, 2), instance="t")
    pipelines = {JobKind.FORGE: lambda _: (Creates(),)}
    tools = cast(Tools, SimpleNamespace(limits=limits))
    runner = Runner(Ledger(database, patience=1), tools, StepOutput(database), pipelines=pipelines)
    assert worker(database, broker, Standing(home=True), runner).work() == 1
    with database.transaction() as tx:
        assert tx.execute(text("SELECT container, engine FROM jobs")).one() == ("c1", "two")


class Asked:
    """An engine that answers its id, or does not."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = iter(answers)

    def __call__(self) -> str:
        answer = next(self._answers)
        if answer is None:
            raise EngineDown("it does not answer")
        return answer


def test_a_refused_worker_has_no_engine_and_says_why() -> None:
    identity = EngineIdentity(Asked("two"), lambda _: Standing(home=False, refused="no registry"))
    identity.look()
    assert (identity.id, identity.error) == (None, "no registry")


def test_an_engine_that_was_away_is_asked_again() -> None:
    identity = EngineIdentity(Asked(None, "one"), lambda _: Standing(home=True))
    seen: list[Any] = []
    for _ in range(3):
        identity.refresh()
        seen.append((identity.id, identity.error))
    assert seen == [(None, "it does not answer"), ("one", None), ("one", None)]


def test_an_engine_that_went_away_or_was_replaced_is_noticed_under_a_running_worker() -> None:
    identity = EngineIdentity(Asked("one", None, "two"), lambda _: Standing(home=True), every=0)
    seen: list[Any] = []
    for _ in range(3):
        identity.refresh()
        seen.append((identity.id, identity.error))
    assert seen == [("one", None), (None, "it does not answer"), ("two", None)]


def test_an_answer_holds_for_a_while() -> None:
    identity = EngineIdentity(Asked("one"), lambda _: Standing(home=True))
    for _ in range(3):
        identity.refresh()
    assert identity.id == "one"


def test_a_call_stays_in_the_queue_when_the_engine_of_its_worker_has_died(database: Database, broker: Broker) -> None:
    home = worker(
        database, broker, Standing(home=True), cast(Runner, None), JobClass.INVOKE, Asked("two", None), every=0
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


class Slow:
    """An engine that takes its time after the first answer."""

    def __init__(self) -> None:
        self.asked, self.answer = 0, threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        if self.asked > 1:
            self.answer.wait(20)
        return "one"


def test_a_slow_engine_holds_up_one_thread_at_most() -> None:
    slow = Slow()
    identity = EngineIdentity(slow, lambda _: Standing(home=True), every=0)
    identity.refresh()
    asking = threading.Thread(target=identity.refresh)
    asking.start()
    wait_until(lambda: slow.asked == 2, 10, "one thread asks")
    identity.refresh()
    assert (identity.id, slow.asked) == ("one", 2)
    slow.answer.set()
    asking.join()


def test_those_who_know_no_engine_wait_for_one_answer() -> None:
    slow = Slow()
    slow.asked = 1
    identity = EngineIdentity(slow, lambda _: Standing(home=True))
    seen: list[str | None] = []
    threads = [threading.Thread(target=lambda: (identity.refresh(), seen.append(identity.id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: slow.asked == 2, 10, "one thread asks")
    slow.answer.set()
    for thread in threads:
        thread.join()
    assert (seen, slow.asked) == (["one"] * 4, 2)
