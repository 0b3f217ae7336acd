"""Runs the product guide's cron job and function with `runtime: incus`, from the guide's own files, on a real Incus.

The instances reach a PostgreSQL of the operator on this machine by a network link of the tests' Incus.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.e2e.incus_world import IncusWorld, incus_world
from tests.e2e.test_guide import BASES, GUIDE, ORDER, picture, size_of
from tests.incus import LINK, IncusKit, started
from tests.servers import Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(600)

REPORT, THUMBNAIL = "daily-report", "thumbnail-gen"
PASSWORD = "of-the-operator"


@pytest.fixture(scope="module")
def incus(engine_address: str) -> IncusKit:
    """An Incus with a link, and the images that the guide builds on."""
    kit = started()
    maker = os.environ.get("NORN_TEST_IMAGES")
    if maker:
        subprocess.run([maker, *BASES], check=True, timeout=600)
    return kit


@pytest.fixture(scope="module")
def stores(incus: IncusKit, private_dir: Path) -> Iterator[Postgres]:
    """A PostgreSQL that also listens on the network link and requires a password there."""
    server = Postgres(private_dir / "stores", listen_addresses=f"127.0.0.1,{LINK}")
    with (server.home / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {LINK}/30 scram-sha-256\n")
    server.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
    server.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def world(incus: IncusKit, postgres: Postgres, stores: Postgres, private_dir: Path) -> Iterator[IncusWorld]:
    """Both apps are deployed."""
    admin = stores.url("postgres").replace("postgres@", f"postgres:{PASSWORD}@")
    given = {"NORN_SERVICES_POSTGRES_URL": admin, "NORN_SERVICES_POSTGRES_ADDRESS": f"{LINK}:{stores.port}"}
    with incus_world(postgres, private_dir / "incus-guide", incus, **given) as world:
        for name in (REPORT, THUMBNAIL):
            shutil.copytree(GUIDE / name, world.stack.apps / name)
            with (world.stack.apps / name / "infraspec.yaml").open("a") as spec:
                spec.write("\nruntime: incus\n")
        world.deploy(REPORT, THUMBNAIL, within=500)
        yield world


@pytest.fixture(scope="module")
def scheduled(world: IncusWorld, stores: Postgres) -> dict[str, Any]:
    """The record of a scheduled run of the report."""
    with psycopg2.connect(stores.url("reports_db")) as connection, connection.cursor() as cursor:
        instance = world.stack.rows("SELECT name FROM instance")[0]["name"]
        cursor.execute(ORDER.format(role=f"norn-{instance}-{REPORT}"))
    connection.close()
    world.stack.norn("cron", "set-schedule", REPORT, "@every 5s")
    fired = f"SELECT * FROM cron_executions WHERE app = '{REPORT}' AND trigger = 'schedule' AND state = 'succeeded'"
    wait_until(lambda: world.stack.rows(fired), allowed(60), "the schedule has fired, and the report is done")
    world.stack.norn("cron", "set-schedule", REPORT, "--clear")
    return world.stack.rows(f"{fired} ORDER BY id LIMIT 1")[0]


def test_daily_report_reads_its_database_on_schedule(scheduled: dict[str, Any]) -> None:
    assert "(from the database)" in scheduled["stdout"]
    assert "Orders: 1, together 13.50 EUR" in scheduled["stdout"]


def test_status_history_logs_and_why_show_the_run(world: IncusWorld, scheduled: dict[str, Any]) -> None:
    norn, number = world.stack.norn, str(scheduled["id"])
    assert "Orders: 1" in norn("cron", "logs", REPORT, number).stdout.decode()
    assert {"runtime": "incus", "state": "succeeded"}.items() <= _run(world, number).items()
    shown = {word: norn(*word.split(), REPORT).stdout.decode() for word in ("status", "cron history", "why")}
    assert all("succeeded" in text or "scheduled" in text for text in shown.values()), shown


def test_a_run_by_hand_succeeds(world: IncusWorld, scheduled: dict[str, Any]) -> None:
    run = world.stack.json("cron", "run", REPORT)
    assert (run["state"], run["exit_code"]) == ("succeeded", 0)


def test_thumbnail_gen_makes_a_smaller_picture(world: IncusWorld) -> None:
    done = world.stack.norn("invoke", THUMBNAIL, "--body", "-", stdin=picture(300, 150))
    assert size_of(done.stdout) == (128, 64)


def test_nothing_is_left(world: IncusWorld, scheduled: dict[str, Any]) -> None:
    wait_until(lambda: world.left() == [], allowed(60), "no instance is left")


def _run(world: IncusWorld, number: str) -> dict[str, Any]:
    row = world.stack.rows(
        "SELECT j.container_runtime AS runtime, e.state FROM cron_executions e JOIN jobs j ON j.id = e.job_id"
        f" WHERE e.id = {int(number)}"
    )[0]
    return dict(row)
