"""A full disk: new work is refused with the free size and a command that helps; work that frees space is accepted."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from norn_tasks.dispatch import request_deploy
from norn_tasks.domain.disk import ENGINE, GIB, Space
from norn_tasks.domain.errors import DiskFull
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import Presence
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import HELLO, Api

EVER = 2**60


@pytest.fixture
def full(database: Database) -> Api:
    """An application whose data directory has less free space than required."""
    return factories.api(database, disk_accept_free=EVER)


def test_what_would_make_something_is_refused(full: Api) -> None:
    answer = full.put_spec("hello", HELLO)
    told = answer.get_json()
    assert (answer.status_code, told["code"], answer.headers["Retry-After"]) == (507, "disk_full", "10")
    assert "free in" in told["detail"] and "du -xh" in told["hint"]


def test_a_call_is_refused_and_makes_no_job(full: Api) -> None:
    shared.add_live(full.database, "fn", "function")
    assert full.get("/fn/fn").status_code == 507
    with full.database.transaction() as tx:
        assert tx.scalar(text("SELECT count(*) FROM jobs")) == 0


@pytest.mark.parametrize(("method", "rest"), [("DELETE", ""), ("POST", "/orders/cancel"), ("POST", "/drain")])
def test_a_call_is_refused_whatever_its_path_says(full: Api, method: str, rest: str) -> None:
    shared.add_live(full.database, "fn", "function")
    assert full.ask(method, f"/fn/fn{rest}").status_code == 507


def test_looking_goes_on(full: Api) -> None:
    assert full.get("/api/apps").status_code == 200


def test_what_frees_something_is_taken(full: Api) -> None:
    with full.database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog"))
        job = shared.add_job(tx, JobKind.FORGE)
    assert full.post(f"/api/jobs/{job}/cancel").status_code < 300
    assert full.post("/api/apps/blog/teardown").status_code == 202


def test_a_refusal_leaves_no_row_in_the_audit(full: Api) -> None:
    full.put_spec("hello", HELLO)
    with full.database.transaction() as tx:
        assert tx.scalar(text("SELECT count(*) FROM audit")) == 0


def worker_with(database: Database, name: str, free: int) -> None:
    spaces = (Space(ENGINE, "/var/lib/docker", free, 100 * GIB),)
    with database.transaction() as tx:
        workers.say(tx, Presence(name, JobClass.DEPLOY, "host", 1, 2, "e", None, spaces=spaces))


def deploy(database: Database) -> None:
    intake = shared.intake(database)
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", more="repo: {url: https://git.example/blog.git}\n"))
    request_deploy(intake, "blog", ref=None, actor="a")


@pytest.mark.parametrize("free", [GIB, 9 * GIB])
def test_a_deploy_is_refused_when_no_worker_has_the_room(database: Database, free: int) -> None:
    worker_with(database, "w1", free)
    with pytest.raises(DiskFull) as refused:
        deploy(database)
    assert "free in /var/lib/docker, and 2.0 GiB and 10 % are needed" in refused.value.sentence
    assert "docker system df" in refused.value.hint


def test_it_is_accepted_when_one_of_them_has(database: Database) -> None:
    worker_with(database, "w1", GIB)
    worker_with(database, "w2", 50 * GIB)
    deploy(database)


def test_a_worker_tells_how_far_its_clock_is_ahead(database: Database) -> None:
    with database.transaction() as tx:
        now = float(tx.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
        workers.say(tx, Presence("w1", JobClass.DEPLOY, "host", 1, 2, "e", None, clock=now + 90))
        offset = tx.scalar(text("SELECT clock_offset FROM workers"))
    assert offset == pytest.approx(90, abs=5)
