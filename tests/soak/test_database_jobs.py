"""Databases of apps: their workers are killed at every point, backups run while apps write, and the disk is full.

`make soak T=tests/soak/test_database_jobs.py` prints the figures.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.pipelines.failpoints import Point
from tests.e2e.databases import AppDatabase
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {
    "NORN_LEASE_SECONDS": "6", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3", "NORN_WORKERS_DEPLOY": "6",
}  # fmt: skip
APPS = 20
ROWS = 500
SPEC = """\
app: {app}
role: cron
schedule: "0 0 1 1 *"
command: "true"
services: {{postgres: {{database: {app}_db, backup: {{schedule: '{schedule}', keep: 2}}}}}}
migrations: {{command: '{command}'}}
"""
EDGES = (Point.BEFORE, Point.EFFECT, Point.AFTER)
OF_A_RUN = (Point.BEFORE, Point.CREATED, Point.RECORDED, Point.BEGUN, Point.EFFECT, Point.AFTER)
KILLS = [
    *((step, point) for step in ("save-database", "restore-database", "discard-replaced") for point in EDGES),
    *(("take-snapshot", point) for point in EDGES),
]
MIGRATION_KILLS = [*(("snapshot-database", point) for point in EDGES), *(("migrate-database", p) for p in OF_A_RUN)]
BEGUN = "SELECT 1 FROM step_logs WHERE job_id >= %s AND step = 'migrate-database' AND chunk LIKE '%%begun%%'"


def add(stack: Stack, app: str, *, schedule: str = "@every 300d", command: str = "echo begun") -> AppDatabase:
    """Forges an app with a database."""
    spec = SPEC.format(app=app, schedule=schedule, command=command)
    stack.add_app(app, spec, {"Dockerfile": "FROM busybox:stable\n"})
    stack.norn("forge", app)
    return AppDatabase(stack, app, f"{app}_db")


@pytest.fixture(scope="module", autouse=True)
def servers(stack: Stack) -> None:
    """Starts the servers that apps share."""
    stack.keep_secrets()
    stack.serve_apps()


@pytest.fixture(scope="module")
def shop(stack: Stack) -> AppDatabase:
    """The database of an app with a live release."""
    made = add(stack, "shop")
    made.fill(ROWS)
    stack.norn("deploy", "shop")
    return made


@contextmanager
def dying_at(stack: Stack, step: str, point: Point) -> Iterator[subprocess.Popen[bytes]]:
    """Replaces the deploy worker by one that dies at this point of the step; waits for its death, and then starts one
    that does not die.
    """
    stack.kill("deploy")
    dying = stack.spawn("deploy", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{step}:{point}:kill")
    yield dying
    wait_until(lambda: dying.poll() is not None, allowed(90), f"the worker dies at {step}:{point}")
    stack.spawn("deploy")


def live(stack: Stack, app: str) -> int:
    """Returns the live release."""
    return int(stack.rows("SELECT n FROM live_releases WHERE app = %s", app)[0]["n"])


def deploy(stack: Stack, shop: AppDatabase, command: str) -> int:
    """Requests a deploy whose migration is this command; returns its job."""
    spec = SPEC.format(app=shop.app, schedule="@every 300d", command=command)
    (stack.apps / shop.app / "infraspec.yaml").write_text(spec)
    return int(stack.json("deploy", shop.app, "--detach")["job"])


# Kills


@pytest.mark.parametrize(("step", "point"), KILLS)
def test_a_job_about_a_database_survives_its_worker(stack: Stack, shop: AppDatabase, step: str, point: Point) -> None:
    shop.fill(ROWS)
    number = shop.snapshot()
    shop.sql("DELETE FROM orders WHERE n > 7")
    with dying_at(stack, step, point) as dying:
        job = shop.ask("snapshot") if step == "take-snapshot" else shop.ask_restore(number)
        wait_until(lambda: dying.poll() is not None, allowed(90), "it dies")
        replaced = (step, point) not in (
            ("restore-database", Point.BEFORE), *(("save-database", each) for each in EDGES),
        ) and step != "take-snapshot"  # fmt: skip
        if replaced:
            shop.sql("INSERT INTO orders VALUES (0)")
    assert shop.ended(job)["state"] == "succeeded"
    expected = ROWS + 1 if replaced else 7 if step == "take-snapshot" else ROWS
    assert (shop.rows(), shop.left()) == (expected, [])
    snapshots = stack.rows("SELECT * FROM snapshots WHERE job_id = %s", job)
    assert [each["bytes"] is not None for each in snapshots] == [True]
    assert files(stack.home / "snapshots") == whole(stack, "backup", are=False)
    print(f"\n{step}:{point}: {shop.rows()} rows, nothing left")


def files(directory: Path) -> set[str]:
    """Returns the names of all files of a directory."""
    return {each.name for each in directory.iterdir()}


def whole(stack: Stack, reason: str, *, are: bool) -> set[str]:
    """Returns the file names of the complete snapshots that were made for this reason, or with `are=False` of those
    made for other reasons.
    """
    sign = "=" if are else "<>"
    rows = stack.rows(f"SELECT app, id FROM snapshots WHERE reason {sign} %s AND bytes IS NOT NULL", reason)
    return {f"{row['app']}-{row['id']}.{'backup' if are else 'dump'}" for row in rows}


@pytest.mark.parametrize(("step", "point"), MIGRATION_KILLS)
def test_a_migration_runs_at_most_once_whenever_its_worker_dies(
    stack: Stack, shop: AppDatabase, step: str, point: Point
) -> None:
    before = live(stack, "shop")
    with dying_at(stack, step, point):
        job = deploy(stack, shop, "echo begun")
    row = shop.ended(job)
    times = len(stack.rows(BEGUN, job))
    assert times <= 1
    if row["state"] == "error":
        assert (row["error"]["code"], live(stack, "shop")) == ("needs_attention", before)
        stack.norn("resolve", str(job), "--abandon")
    else:
        assert (row["state"], times) == ("succeeded", 1)
    print(f"\n{step}:{point}: {row['state']}, ran {times} times")


# Migrations that fail


def stop_by_drain(stack: Stack, job: int) -> None:
    """Drains the worker, and starts another one."""
    stack.kill("deploy", 15)
    stack.processes["deploy"].wait(allowed(90))
    stack.spawn("deploy")


def stop_by_death(stack: Stack, job: int) -> None:
    """Kills the worker, and starts another one."""
    stack.kill("deploy")
    stack.spawn("deploy")


def stop_by_cancel(stack: Stack, job: int) -> None:
    """Cancels the job."""
    stack.norn("jobs", "cancel", str(job))


def stop_by_time(stack: Stack, job: int) -> None:
    """Does nothing: the job ends by itself, at its time limit or because its migration fails."""


STOPS = {"killed": stop_by_death, "drained": stop_by_drain, "cancelled": stop_by_cancel, "hangs": stop_by_time,
         "fails": stop_by_time}  # fmt: skip


@pytest.mark.parametrize("how", STOPS)
def test_the_old_release_serves_and_the_snapshot_restores_all_rows(stack: Stack, shop: AppDatabase, how: str) -> None:
    shop.fill(ROWS)
    before = live(stack, "shop")
    if how == "hangs":
        stack.kill("deploy")
        stack.spawn("deploy", NORN_MIGRATE_TIMEOUT="3")
    job = deploy(stack, shop, "echo begun; exit 3" if how == "fails" else "echo begun; sleep 300")
    wait_until(lambda: stack.rows(BEGUN, job), allowed(90), "the migration has begun")
    shop.sql("DELETE FROM orders WHERE n > 7")
    STOPS[how](stack, job)
    row = shop.ended(job)
    known = {"hangs": ("failed", "timed_out"), "fails": ("failed", "migration_failed")}
    assert (row["state"], row["error"]["code"]) == known.get(how, ("error", "needs_attention"))
    assert (live(stack, "shop"), len(stack.rows(BEGUN, job))) == (before, 1)
    snapshot = shop.newest("deploy")
    assert shop.ended(shop.ask_restore(snapshot["id"]))["state"] == "succeeded"
    assert shop.rows() == snapshot["counts"]["public.orders"] == ROWS
    if row["state"] == "error":
        stack.norn("resolve", str(job), "--abandon")
    if how == "hangs":
        stop_by_death(stack, job)
    print(f"\n{how}: {row['state']} {row['error']['code']}, began once, {shop.rows()} of {ROWS} rows restored")


# Backups


def open_alerts(stack: Stack) -> set[str]:
    """Returns the kinds of the open alerts about backups."""
    rows = stack.rows("SELECT kind FROM alerts WHERE rule = 'backup' AND resolved_at IS NULL")
    return {row["kind"] for row in rows}


def test_a_backup_that_is_corrupted_or_finds_no_room_is_an_alert(stack: Stack, shop: AppDatabase) -> None:
    number = shop.snapshot("backup")
    wait_until(lambda: stack.rows("SELECT 1 FROM backup_plans"), allowed(60), "the plan of the backups is made")
    file = stack.home / "backups" / f"shop-{number}.backup"
    file.write_bytes(file.read_bytes()[:-100])
    assert shop.ended(shop.ask("drill"))["error"]["code"] == "backup_unusable"
    wait_until(lambda: open_alerts(stack) == {"drill-failed"}, allowed(30), "the corrupted backup is an alert")
    shop.sql("CREATE TABLE IF NOT EXISTS large AS SELECT md5(n::text) AS word FROM generate_series(1, 200000) n")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(file.parent)], check=True)
    try:
        row = shop.ended(shop.ask("backup"))
        wait_until(lambda: "backup-failed" in open_alerts(stack), allowed(30), "the full disk is an alert")
        left = list(file.parent.iterdir())
    finally:
        subprocess.run(["umount", str(file.parent)], check=True)
    assert (row["state"], left) == ("failed", [])
    assert "No space left on device" in row["error"]["sentence"]
    shop.sql("DROP TABLE large")
    shop.snapshot("backup")
    assert shop.ended(shop.ask("drill"))["state"] == "succeeded"
    wait_until(lambda: open_alerts(stack) == set(), allowed(30), "both alerts end")
    print(f"\ncorrupted and full: drill-failed, backup-failed ({row['error']['sentence']})")


def test_backups_of_many_databases_run_on_schedule_while_apps_write(stack: Stack) -> None:
    made = [add(stack, f"app{n}", schedule="@every 20s") for n in range(APPS)]
    for each in made:
        each.fill(ROWS)
    over, written = threading.Event(), [0] * APPS

    def write(number: int) -> None:
        while not over.is_set():
            made[number].sql("INSERT INTO orders VALUES (0)")
            written[number] += 1
            over.wait(0.2)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(APPS)]
    for writer in writers:
        writer.start()
    try:
        wait_until(lambda: len(drilled(stack)) == APPS, allowed(400), "each backup was drilled")
        backups = stack.rows("SELECT app, count(*) AS n FROM snapshots WHERE reason = 'backup' GROUP BY app")
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert min(each["n"] for each in backups) >= 1
    for number, each in enumerate(made):
        newest = each.newest("backup")
        assert ROWS <= newest["counts"]["public.orders"] <= each.rows() == ROWS + written[number]
    assert open_alerts(stack) == set()
    taken = stack.rows("SELECT count(*) AS n FROM jobs WHERE kind = 'snapshot' AND app LIKE 'app%%'")[0]["n"]
    print(f"\n{APPS} databases: {taken} backups, {len(drilled(stack))} drilled, {sum(written)} rows written meanwhile")


def drilled(stack: Stack) -> list[dict[str, Any]]:
    """Returns the apps whose backup was restored by a drill (trial restore)."""
    return stack.rows("SELECT DISTINCT app FROM jobs WHERE kind = 'drill' AND state = 'succeeded' AND app LIKE 'app%%'")
