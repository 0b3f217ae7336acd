"""A worker keeps reporting that it is alive, even if one of its parts fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet.engines import EngineMembership
from norn_tasks.store.fleet.workers import drain
from norn_tasks.worker.engines import EngineIdentity
from norn_tasks.worker.liveness import Liveness
from norn_tasks.worker.presence import PresenceThread
from tests import factories
from tests.deep import deep
from tests.integration.dying import kill, named
from tests.servers import allowed, wait_until


def present(database: Database, data: Path, ask: Callable[[], str] = lambda: "one", **more: Any) -> PresenceThread:
    """Starts the reports of a deploy worker."""
    settings = Settings(database_url=database.url, data_dir=data)
    liveness = Liveness(database, Live(factories.NOWHERE), "w1", JobClass.DEPLOY)
    engine = EngineIdentity(ask, lambda _: EngineMembership(home=True))
    presence = PresenceThread(database, settings, [liveness], engine, **more)
    presence.start()
    return presence


def workers(database: Database) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(text("SELECT count(*) FROM workers")) or 0)


def test_a_leftover_of_any_depth_is_removed(database: Database, tmp_path: Path) -> None:
    with deep(tmp_path / "work" / "job-999999", 1500) as leftover:
        presence = present(database, tmp_path)
        wait_until(lambda: not leftover.exists(), allowed(10), "the leftover is gone")
        presence.leave()


def test_a_worker_whose_engine_cannot_be_asked_is_there(database: Database, tmp_path: Path) -> None:
    def ask() -> str:
        raise RuntimeError("nobody thought of this")

    presence = present(database, tmp_path, ask)
    wait_until(lambda: workers(database) == 1, allowed(10), "the worker is there")
    presence.leave()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_presence_that_dies_is_replaced(database: Database, tmp_path: Path) -> None:
    presence = present(database, tmp_path)
    wait_until(lambda: workers(database) == 1, allowed(10), "the worker is there")
    kill(named("norn-presence"))
    with database.transaction() as tx:
        tx.execute(text("DELETE FROM workers"))
    presence.guard()
    wait_until(lambda: workers(database) == 1, allowed(10), "another thread speaks for it")
    presence.leave()


def test_a_presence_that_hangs_ends_the_worker(database: Database, tmp_path: Path) -> None:
    free, ended = threading.Event(), threading.Event()

    def ask() -> str:
        free.wait(20)
        return "one"

    presence = present(database, tmp_path, ask, end=ended.set, hangs=0.2)
    wait_until(lambda: presence.guard() or ended.is_set(), allowed(10), "the worker ends itself")
    free.set()
    presence.leave()


def test_one_thread_speaks_for_all_classes_of_a_worker(database: Database, tmp_path: Path) -> None:
    ended = threading.Event()
    settings = Settings(database_url=database.url, data_dir=tmp_path)
    live = Live(factories.NOWHERE)
    all_of_them = [Liveness(database, live, f"w-{each}", each, slots=n) for n, each in enumerate(JobClass, 1)]
    engine = EngineIdentity(lambda: "one", lambda _: EngineMembership(home=True))
    presence = PresenceThread(database, settings, all_of_them, engine, end=ended.set)
    presence.start()
    wait_until(lambda: workers(database) == len(JobClass), allowed(10), "each class has a row")
    with database.transaction() as tx:
        rows = {row["class"]: row["slots"] for row in tx.execute(text("SELECT class, slots FROM workers")).mappings()}
        drain(tx, "w-cron", actor="me")
    assert rows == {str(each): n for n, each in enumerate(JobClass, 1)}
    assert ended.wait(15), "a worker that is asked to drain in one class ends with all of them"
    presence.leave()
    assert workers(database) == 0
