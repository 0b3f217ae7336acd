"""Which engine is the home engine, which ones are refused, and which jobs a worker may take on which engine."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import engines, workers
from norn_tasks.store.fleet.engines import EngineMembership
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.queue.sweeper import sweep
from tests import factories


def speak(database: Database, engine: str, host: str = "a", *, registry: bool = False) -> EngineMembership:
    with database.transaction() as tx:
        return engines.speak(tx, engine, host, registry=registry)


def silent(database: Database, seconds: int) -> None:
    with database.transaction() as tx:
        tx.execute(text(f"UPDATE instance SET engine_seen_at = clock_timestamp() - interval '{seconds} s'"))


def test_the_first_engine_is_home(database: Database) -> None:
    assert [speak(database, "one"), speak(database, "one")] == [EngineMembership(home=True)] * 2


def test_a_second_engine_is_refused_with_the_setting(database: Database) -> None:
    speak(database, "one", "alpha")
    standing = speak(database, "two")
    assert not standing.home and standing.refused is not None
    assert "alpha" in standing.refused and "NORN_REGISTRY_URL" in standing.refused


def test_with_a_registry_it_is_welcome_and_not_home(database: Database) -> None:
    speak(database, "one")
    assert speak(database, "two", registry=True) == EngineMembership(home=False)


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


def claimed(database: Database, standing: EngineMembership, job_class: JobClass = JobClass.DEPLOY) -> bool:
    can = factories.capabilities("two", home=standing.home)
    return take(database, Claimer("w1", job_class, "two", 30, 5, can)) is not None


@pytest.mark.parametrize(("engine", "taken"), [(None, True), ("two", True), ("one", False), (HOME, False)])
def test_away_from_home_a_worker_takes_what_may_run_there(database: Database, engine: str | None, taken: bool) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=engine)
    assert claimed(database, EngineMembership(home=False)) is taken


def test_at_home_it_takes_what_stays(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine=HOME)
    assert claimed(database, EngineMembership(home=True))


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
        looks = [tuple(row) for row in tx.execute(text("SELECT engine, cluster FROM jobs ORDER BY id"))]
    assert looks == [(HOME, None), ("two", None)]
