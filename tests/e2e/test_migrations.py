"""Migrations on a real engine: one that ends well, one that fails, and one whose worker dies half-way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {"NORN_LEASE_SECONDS": "6", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}
pytestmark = pytest.mark.timeout(600)
ENDS = ("succeeded", "failed", "error", "dead", "cancelled")
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
    """The app, forged; the servers of apps run."""
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


def test_a_migration_whose_worker_dies_is_not_repeated_and_asks_a_person(stack: Stack) -> None:
    before, job = live(stack), deploy(stack, "echo begun; sleep 100")
    begun = "SELECT 1 FROM step_logs WHERE job_id = %s AND step = 'migrate-database' AND chunk LIKE '%%begun%%'"
    wait_until(lambda: stack.rows(begun, job), allowed(60), "the migration has begun")
    stack.kill("deploy")
    stack.spawn("deploy")
    row = ended(stack, job)
    assert (row["state"], row["error"]["code"], live(stack)) == ("error", "needs_attention", before)
    refused = stack.norn("deploy", "shop", check=False)
    assert b"needs your attention" in refused.stderr
    stack.norn("resolve", str(job), "--abandon")
