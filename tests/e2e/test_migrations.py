"""Database migrations on a real engine: one that succeeds, and failures of each kind; and the restore of the snapshot
that Norn takes before a migration.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.databases import ENDS, AppDatabase
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {"NORN_LEASE_SECONDS": "6", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}
pytestmark = pytest.mark.timeout(600)
SPEC = """\
app: shop
role: cron
schedule: "0 0 1 1 *"
command: "true"
services: {{postgres: {{database: shop_db}}}}
migrations: {{command: '{command}'}}
"""
MIGRATES = 'case "$DATABASE_URL" in *@norn-services:*/shop_db) echo migrated;; *) exit 9;; esac'


@pytest.fixture(scope="module", autouse=True)
def app(stack: Stack) -> None:
    """The forged app; the shared servers of apps run."""
    stack.keep_secrets()
    stack.serve_apps()
    stack.add_app("shop", SPEC.format(command=MIGRATES.replace("'", "")), {"Dockerfile": "FROM busybox:stable\n"})
    stack.norn("forge", "shop")


def deploy(stack: Stack, command: str) -> int:
    """Accepts a deploy whose migration is this command."""
    (stack.apps / "shop" / "infraspec.yaml").write_text(SPEC.format(command=command))
    return int(stack.json("deploy", "shop", "--detach")["job"])


def ended(stack: Stack, job: int) -> Any:
    """Waits for the end of a job; returns its row."""
    return stack.await_state(job, ENDS, allowed(60))


def steps(stack: Stack, job: int) -> dict[str, str]:
    """Returns the states of a job's steps."""
    rows = stack.rows("SELECT name, state FROM steps WHERE job_id = %s", job)
    return {each["name"]: each["state"] for each in rows}


def live(stack: Stack) -> int:
    """Returns the live release."""
    return int(stack.rows("SELECT n FROM live_releases WHERE app = 'shop'")[0]["n"])


def test_a_migration_runs_with_the_credentials_of_the_release_after_a_snapshot(stack: Stack) -> None:
    job = deploy(stack, MIGRATES)
    assert ended(stack, job)["state"] == "succeeded"
    done = steps(stack, job)
    assert (done["snapshot-database"], done["migrate-database"]) == ("succeeded", "succeeded")
    (snapshot,) = stack.rows("SELECT id, bytes FROM snapshots")
    assert (stack.home / "snapshots" / f"shop-{snapshot['id']}.dump").stat().st_size == snapshot["bytes"]
    assert "migrated" in stack.norn("jobs", "logs", str(job), "--step", "migrate-database").stdout.decode()


def test_a_migration_that_fails_leaves_the_live_release(stack: Stack) -> None:
    before = live(stack)
    row = ended(stack, deploy(stack, "exit 3"))
    assert (row["state"], row["error"]["code"], live(stack)) == ("failed", "migration_failed", before)


BEGUN = "SELECT 1 FROM step_logs WHERE job_id = %s AND step = 'migrate-database' AND chunk LIKE '%%begun%%'"


def begun(stack: Stack, job: int) -> bool:
    """Returns True once the migration of a job has written something."""
    return bool(stack.rows(BEGUN, job))


def needs_attention(stack: Stack, job: int, before: int) -> None:
    """Checks that the migration was begun once, that the old release is live, and that the job needs attention."""
    row = ended(stack, job)
    assert (row["state"], row["error"]["code"], live(stack)) == ("error", "needs_attention", before)
    assert len(stack.rows(BEGUN.replace("job_id = %s", "job_id >= %s"), job)) == 1
    refused = stack.norn("deploy", "shop", check=False)
    assert b"needs your attention" in refused.stderr


def test_a_migration_that_is_cancelled_asks_a_person(stack: Stack) -> None:
    before, job = live(stack), deploy(stack, "echo begun; sleep 100")
    wait_until(lambda: begun(stack, job), allowed(60), "the migration has begun")
    stack.norn("jobs", "cancel", str(job))
    needs_attention(stack, job, before)
    stack.norn("resolve", str(job), "--abandon")


def test_a_migration_whose_worker_dies_is_not_repeated_and_its_snapshot_restores_all_rows(stack: Stack) -> None:
    """The worker of the restore dies too, after the data was replaced and before that is recorded."""
    shop = AppDatabase(stack, "shop", "shop_db")
    shop.fill(100)
    before, job = live(stack), deploy(stack, "echo begun; sleep 100")
    wait_until(lambda: begun(stack, job), allowed(60), "the migration has begun")
    shop.sql("DELETE FROM orders WHERE n > 7")  # like half of a migration
    stack.kill("deploy")
    dying = stack.spawn("deploy", NORN_TEST_BUILD="1", NORN_FAILPOINT="restore-database:effect:kill")
    needs_attention(stack, job, before)
    snapshot = shop.newest("deploy")
    restore = shop.ask_restore(snapshot["id"])
    wait_until(lambda: dying.poll() is not None, allowed(60), "the worker of the restore dies")
    shop.sql("INSERT INTO orders VALUES (101)")
    stack.spawn("deploy")
    assert shop.ended(restore)["state"] == "succeeded"
    assert (shop.rows(), sum(snapshot["counts"].values()), shop.left()) == (101, 100, [])
    assert sum(shop.newest("restore")["counts"].values()) == 7
    stack.norn("resolve", str(job), "--abandon")
