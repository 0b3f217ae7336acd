"""The problems that the doctor finds, one at a time: each gets a sentence that names it, and a hint."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.access import Scope
from norn_tasks.domain.disk import DATA, ENGINE, GIB, MIB, Space
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import Presence
from norn_tasks.store.status.doctor import newest_revision
from norn_tasks.store.upkeep import exclusive_tasks
from tests import factories as shared
from tests.integration.api.factories import Api


def found(api: Api, name: str) -> tuple[str, str, str]:
    """Returns status, sentence and hint of a check; the worst one if several have the name."""
    checks = [check for check in api.get("/api/doctor").get_json()["checks"] if check["name"] == name]
    worst = max(checks, key=lambda check: ["ok", "warn", "fail"].index(check["status"]))
    return worst["status"], worst["message"], worst["hint"]


def add_worker(database: Database, *spaces: Space, clock: float | None = None, name: str = "deploy@a") -> None:
    with database.transaction() as tx:
        workers.say(tx, Presence(name, JobClass.DEPLOY, "a", 1, 2, "e", None, spaces=spaces, clock=clock))


def sql(database: Database, statement: str, **bound: Any) -> None:
    with database.transaction() as tx:
        tx.execute(text(statement), bound)


@pytest.mark.parametrize(
    ("free", "status", "says"),
    [(50 * GIB, "ok", "50.0 GiB (50 %) free"), (GIB, "warn", "nothing is built below 2.0 GiB or 10 %"),
     (100 * MIB, "fail", "nothing new is accepted below 500 MiB")],
)  # fmt: skip
def test_a_disk(api: Api, free: int, status: str, says: str) -> None:
    add_worker(api.database, Space(ENGINE, "/var/lib/docker", free, 100 * GIB))
    told = found(api, "disk:engine")
    assert (told[0], says in told[1], bool(told[2])) == (status, True, status != "ok")


def test_an_engine_whose_disk_nobody_sees(api: Api) -> None:
    add_worker(api.database, Space(DATA, "/var/lib/norn", GIB, GIB))
    assert found(api, "disk:engine")[:2] == ("warn", "no worker can see the engine's disk")


@pytest.mark.parametrize(
    ("metadata", "status", "says"),
    [
        (None, "ok", "it was not tried"),
        (False, "ok", "containers do not reach"),
        (True, "warn", "containers connect to"),
    ],
)
def test_a_metadata_address(api: Api, metadata: bool | None, status: str, says: str) -> None:
    assert found(api, "metadata")[:2] == ("ok", "no engine was looked at yet")
    sql(api.database, "INSERT INTO engines (id, memory, building, metadata_reached) VALUES ('e', 1, 1, :m)", m=metadata)
    told = found(api, "metadata")
    assert (told[0], told[1].startswith(says), "deploy/prepare metadata" in told[2]) == (status, True, metadata is True)


@pytest.mark.parametrize(("io_uring", "told"), [(None, False), (False, False), (True, True)])
def test_containers_that_may_use_io_uring(api: Api, io_uring: bool | None, told: bool) -> None:
    sql(api.database, "INSERT INTO engines (id, memory, building, io_uring) VALUES ('e', 1, 1, :it)", it=io_uring)
    checks = {check["name"]: check["status"] for check in api.get("/api/doctor").get_json()["checks"]}
    assert checks.get("io-uring") == ("warn" if told else None)


@pytest.mark.parametrize(("vsock", "told"), [(None, False), (False, False), (True, True)])
def test_containers_that_may_use_vsock(api: Api, vsock: bool | None, told: bool) -> None:
    sql(api.database, "INSERT INTO engines (id, memory, building, vsock) VALUES ('e', 1, 1, :it)", it=vsock)
    checks = {check["name"]: check["status"] for check in api.get("/api/doctor").get_json()["checks"]}
    assert checks.get("vsock") == ("warn" if told else None)


@pytest.mark.parametrize(
    ("version", "status", "says"),
    [
        ("1.3.3", "ok", "started by runc 1.3.3"), ("1.2.8", "ok", "runc 1.2.8"), ("1.4.0", "ok", "runc 1.4.0"),
        ("1.3.2", "warn", "can escape"), ("1.2.5", "warn", "can escape"), ("1.1.15", "warn", "can escape"),
        ("1.2.0-rc.1", "warn", "can escape"), ("1.1.5+ds1", "ok", "a package of a distribution"),
        ("1.1.12-0ubuntu2~22.04.1", "ok", "a package of a distribution"), ("unknown", "ok", "runc unknown"),
    ],
)  # fmt: skip
def test_a_version_of_runc_from_which_programs_escape(api: Api, version: str, status: str, says: str) -> None:
    sql(api.database, "INSERT INTO engines (id, memory, building, runc) VALUES ('e', 1, 1, :it)", it=version)
    told = found(api, "runc")
    assert (told[0], says in told[1], "CVE-2025-31133" in (told[2] or "")) == (status, True, status == "warn")


def test_a_firewall_between_runs_and_the_router(api: Api) -> None:
    sql(api.database, "UPDATE instance SET engine = 'e'")
    sql(
        api.database,
        "INSERT INTO engines (id, memory, building, runs_address, host_reached)"
        " VALUES ('e', 1, 1, '172.20.0.1/16', false)",
    )
    assert found(api, "reach") == (
        "warn", "cron runs and calls reach no other app: a firewall keeps them from the router",
        "allow connections from 172.20.0.0/16 to this machine",
    )  # fmt: skip


def test_an_app_that_runs_do_not_reach(api: Api) -> None:
    shared.add_live(api.database, "blog", "webserver")
    error = "port 80 may not be opened by this user"
    sql(api.database, "INSERT INTO addresses (app, port, runs_error) VALUES ('blog', 18800, :error)", error=error)
    assert found(api, "reach")[:2] == ("warn", f"cron runs and calls do not reach http://blog:8080: {error}")


@pytest.mark.parametrize(("ahead", "status"), [(0, "ok"), (10, "warn"), (-90, "fail")])
def test_a_clock(api: Api, ahead: float, status: str) -> None:
    add_worker(api.database, clock=time.time() + ahead)
    assert found(api, "clock")[0] == status


def test_a_worker_that_fell_silent(api: Api) -> None:
    add_worker(api.database)
    sql(api.database, "UPDATE workers SET seen_at = clock_timestamp() - interval '5 minutes'")
    status, sentence, _ = found(api, "worker")
    assert (status, sentence) == ("warn", "deploy@a on a was last seen 5 min ago, and did not report its end")


def test_an_old_schema(api: Api) -> None:
    assert found(api, "schema")[0] == "ok"
    sql(api.database, "UPDATE alembic_version SET version_num = '0001'")
    status, sentence, hint = found(api, "schema")
    assert (status, newest_revision() in sentence, "norn up" in hint) == ("fail", True, True)


def test_a_schema_of_a_newer_norn(api: Api) -> None:
    sql(api.database, "UPDATE alembic_version SET version_num = '9999'")
    assert found(api, "schema")[0] == "fail"


def test_a_live_app_without_a_secret_that_it_names(api: Api) -> None:
    shared.add_live(api.database, "blog", "function", "secrets: [API_KEY]\n")
    assert found(api, "secrets") == (
        "fail", "blog is live and its secret API_KEY is not set", "norn secrets set blog API_KEY",
    )  # fmt: skip


def test_a_limited_token_learns_of_its_own_apps_only(api: Api) -> None:
    shared.add_live(api.database, "blog", "function", "secrets: [API_KEY]\n")
    with api.database.transaction() as tx:
        exclusive_tasks.done(tx, exclusive_tasks.BACKUP, file="/home/ada/norn.backup", bytes=1)
    theirs, own = api.asked_as(Scope.READ, apps=("other",)), api.asked_as(Scope.READ, apps=("blog",))
    assert (found(theirs, "secrets")[0], found(own, "secrets")[0]) == ("ok", "fail")
    assert ("/home/ada" in found(theirs, "backup")[1], "/home/ada" in found(api, "backup")[1]) == (False, True)


@pytest.mark.parametrize(("days", "status"), [(None, "warn"), (1, "ok"), (8, "warn")])
def test_a_backup(api: Api, days: int | None, status: str) -> None:
    if days is not None:
        with api.database.transaction() as tx:
            exclusive_tasks.done(tx, exclusive_tasks.BACKUP, file="/b", bytes=1)
        sql(api.database, f"UPDATE chores SET done_at = clock_timestamp() - interval '{days} days'")
    assert found(api, "backup")[0] == status


@pytest.mark.parametrize(("hours", "status"), [(1, "ok"), (5, "warn")])
def test_retention(api: Api, hours: int, status: str) -> None:
    with api.database.transaction() as tx:
        exclusive_tasks.done(tx, exclusive_tasks.RETENTION, removed={"jobs": 7}, longest_ms=12)
    sql(api.database, f"UPDATE chores SET done_at = clock_timestamp() - interval '{hours} hours'")
    told = found(api, "retention")
    assert (told[0], "7 rows removed, the longest batch 12 ms" in told[1]) == (status, True)


def test_jobs_that_ended_their_workers(api: Api) -> None:
    with api.database.transaction() as tx:
        job = shared.add_job(tx)
    sql(api.database, "UPDATE jobs SET state = 'dead', ended_at = clock_timestamp()")
    assert found(api, "dead jobs")[2] == f"norn jobs logs {job}"


def test_orphans_that_were_removed_are_counted_though_the_next_look_finds_none(api: Api) -> None:
    for facts in ('{"orphans_removed": 2, "orphaned": []}', '{"orphaned": []}', '{"orphans_removed": 1}'):
        with api.database.transaction() as tx:
            job = shared.add_job(tx, JobKind.OBSERVE, app="")
        ended = "UPDATE jobs SET state = 'succeeded', ended_at = clock_timestamp(), facts = CAST(:f AS jsonb)"
        sql(api.database, f"{ended} WHERE id = :id", f=facts, id=job)
    status, sentence, _ = found(api, "look")
    assert (status, sentence.partition("; ")[2]) == ("ok", "orphaned containers removed in the last day: 3")


def test_connections_are_counted_by_process(api: Api) -> None:
    beat = Database(api.database.url, pool=1, process="norn-beat")
    with beat.transaction() as tx:
        most = tx.scalar(text("SHOW max_connections"))
        status, sentence, _ = found(api, "connections")
    beat.dispose()
    assert (status, int(most) - 3) == ("ok", int(sentence.split()[2]))
    assert "1 norn-beat" in sentence


def test_nobody_has_looked(api: Api) -> None:
    assert found(api, "look")[0] == "warn"


def test_health_stays_as_light_as_it_was(api: Api) -> None:
    names = {check["name"] for check in api.get("/api/health").get_json()["checks"]}
    assert {"disk", "database"} <= names and not {"backup", "secrets", "schema"} & names
