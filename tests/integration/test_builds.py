"""One build at a time per engine: in the order of asking, whoever dies, and said where somebody looks."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.job import Fence, JobKind
from norn_tasks.domain.step import StepPlace
from norn_tasks.store import builds
from norn_tasks.store.ledger import Ledger
from norn_tasks.store.session import Database
from norn_tasks.wiring import BuildPlaces
from tests import factories
from tests.fakes.stop import FakeWatch
from tests.servers import wait_until


def building(database: Database, app: str) -> Fence:
    """Makes a deploy whose step build-image runs."""
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, app)
    job = factories.claim(database)
    Ledger(database, patience=5).begin_step(job.fence, StepPlace(1, "build-image"), None)
    return job.fence


def ask(database: Database, fence: Fence, engine: str = "e1") -> str | None:
    with database.transaction() as tx:
        builds.ask(tx, engine, fence)
    return look(database, fence, engine)


def look(database: Database, fence: Fence, engine: str = "e1") -> str | None:
    with database.transaction() as tx:
        return builds.ahead(tx, engine, fence)


def test_they_take_turns_in_the_order_of_asking(database: Database) -> None:
    one, two, three = (building(database, app) for app in ("a", "b", "c"))
    assert [ask(database, fence) for fence in (two, one, three)] == [
        None, f"the build of b (job {two.job})", f"the build of b (job {two.job})",
    ]  # fmt: skip
    with database.transaction() as tx:
        builds.leave(tx, two)
    assert [look(database, fence) for fence in (one, three)] == [None, f"the build of a (job {one.job})"]


def test_another_engine_has_a_queue_of_its_own(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    assert (ask(database, one, "e1"), ask(database, two, "e2")) == (None, None)


@pytest.mark.parametrize("change", ["state = 'queued'", "lease_token = 999999", "state = 'failed'"])
def test_who_lost_its_job_blocks_nobody(database: Database, change: str) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    with database.transaction() as tx:
        tx.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), {"id": one.job})
    assert ask(database, two) is None


def test_who_waits_says_so_in_its_step(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    ask(database, two)
    assert note(database, two) == f"waiting for the build of a (job {one.job}): one build at a time per engine"
    with database.transaction() as tx:
        builds.leave(tx, one)
    look(database, two)
    assert note(database, two) == ""


def note(database: Database, fence: Fence) -> str:
    with database.transaction() as tx:
        return str(tx.scalar(text("SELECT note FROM steps WHERE job_id = :job"), {"job": fence.job}))


def test_never_two_at_once(database: Database) -> None:
    """Eight builds want the engine at the same moment; each holds it for a while."""
    places, busy, most, done = BuildPlaces(database, lambda: "e1"), [0], [0], []
    lock = threading.Lock()

    def build(fence: Fence) -> None:
        with places.turn(FakeWatch(job=fence.job, token=fence.token).watch):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.05)
            with lock:
                busy[0] -= 1
        done.append(fence)

    threads = [threading.Thread(target=build, args=(building(database, f"a{n}"),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], len(done)) == (1, 8)


def test_who_waits_can_be_stopped_and_gives_its_place_back(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    watch = FakeWatch(job=two.job, token=two.token)
    stopper = threading.Thread(target=lambda: (wait_until(lambda: watch.said, 20, "it waits"),
                                               watch.stop.set("cancelled")))  # fmt: skip
    stopper.start()
    with pytest.raises(Stopped), BuildPlaces(database, lambda: "e1").turn(watch.watch):
        pass
    stopper.join()
    assert watch.said == [f"waiting for the build of a (job {one.job}) to end: one build at a time per engine\n"]
    with database.transaction() as tx:
        assert list(tx.scalars(text("SELECT job_id FROM builds"))) == [one.job]
