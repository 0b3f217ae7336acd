"""After an upgrade retention and metrics continue, a backup can be restored, and clients find their data."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.store.apps import secrets
from norn_tasks.store.database import migrate
from norn_tasks.store.upkeep import after_restore, counters
from tests.integration.upgrade.conftest import Copies
from tests.upgrade.kit import Plane


def states(plane: Plane) -> dict[str, str]:
    """Returns the state of each app."""
    return {app["name"]: app["state"] for app in plane.get("/api/apps?all=true&limit=200")["items"]}


# Retention and counting


@pytest.fixture(scope="module")
def tidied(copies: Copies) -> Plane:
    """A control plane after the hourly clean-up of the scheduler."""
    plane = copies()
    Housekeeping(plane.database, plane.intake.settings).round()
    return plane


def test_retention_removes_what_is_old_enough(tidied: Plane) -> None:
    (task,) = tidied.rows("SELECT done_at, did FROM chores WHERE name = 'retention'")
    assert {"jobs", "events", "func_executions", "cron_executions", "cron_ticks", "idempotency"} <= set(
        task.did["removed"]
    )


def test_retention_keeps_every_app_as_it_is(tidied: Plane, plane: Plane) -> None:
    assert states(tidied) == states(plane)


def test_retention_keeps_open_jobs_and_the_deploys_of_kept_releases(tidied: Plane, plane: Plane) -> None:
    kept = """SELECT j.id FROM jobs j WHERE j.state IN ('queued', 'running') OR j.kind = 'deploy' AND EXISTS (
        SELECT 1 FROM releases r WHERE r.app = j.app AND r.n = j.release AND r.live_at IS NOT NULL
           AND r.pruned_at IS NULL)"""
    assert tidied.rows(f"{kept} ORDER BY 1") == plane.rows(f"{kept} ORDER BY 1")


def test_events_are_counted_on_from_where_the_old_version_was(own: Plane) -> None:
    (ended,) = own.rows("SELECT count(*) FROM events WHERE kind = 'job.ended'")
    counters.count(own.database)
    assert counters.count(own.database) == 0
    (counted,) = own.rows("SELECT sum(count) FROM tallies WHERE name = 'norn_jobs_ended_total'")
    assert counted == ended


# A backup of the old version, restored


@pytest.fixture(scope="module")
def restored(copies: Copies) -> Plane:
    """A control plane after the steps of `norn restore` on the old version's rows: the rows are adapted, and a job has
    put each long-running app in order.
    """
    plane = copies()
    with plane.database.transaction() as tx:
        after_restore.settle(tx)
        apps = after_restore.long_running(tx)
    for app in apps:
        dispatch.request_reconcile(plane.intake, app, actor="norn restore")
    plane.run(JobClass.DEPLOY)
    return plane


def test_a_backup_of_the_old_version_is_known() -> None:
    assert migrate.knows("0014")


def test_a_restored_control_plane_puts_every_app_in_order(restored: Plane) -> None:
    ends = restored.rows(
        "SELECT app, state FROM jobs WHERE actor = 'norn restore' AND state <> 'succeeded' ORDER BY app"
    )
    held = {"left-build", "left-cancelled", "left-pruning", "left-repair", "left-restart", "left-rollback"}
    held |= {"left-rollout", "left-scale", "left-source", "left-test"}
    assert {row.app: row.state for row in ends} == dict.fromkeys(held, "queued")


def test_events_of_before_a_restore_come_before_those_after_it(restored: Plane) -> None:
    first = restored.get("/api/events?after=0-0&limit=1")["items"]
    newest = restored.get("/api/events?limit=1")["items"]
    assert first[0]["at"] < newest[-1]["at"]


# Secrets, keys and positions in streams


@pytest.mark.parametrize(
    ("app", "values"),
    [
        ("shop", {"DB_PASSWORD": "second", "API_KEY": "key-2"}), ("resize", {"TOKEN": "t0ken"}),
        ("nightly", {"MAIL_KEY": "m4il"}), ("oldshop", {"KEY": "old"}),
    ],
)  # fmt: skip
def test_secrets_are_opened_with_the_old_key(plane: Plane, app: str, values: dict[str, str]) -> None:
    with plane.database.transaction() as tx:
        sealed = secrets.sealed_of(tx, app)
    assert {each.name: plane.vault.open(each).reveal() for each in sealed if each.current} == values


def test_a_replaced_secret_is_kept_for_as_long_as_a_replica_may_have_it(plane: Plane) -> None:
    with plane.database.transaction() as tx:
        sealed = secrets.sealed_of(tx, "shop")
    assert {(each.name, plane.vault.open(each).reveal()) for each in sealed if not each.current} == {
        ("API_KEY", "key-1"), ("UNUSED", "x"),
    }  # fmt: skip


def test_a_request_that_is_repeated_under_its_key_gets_the_old_job(own: Plane) -> None:
    old = own.rows("SELECT id FROM jobs WHERE kind = 'restart' AND app = 'wait-restart'")[0].id
    again = own.asked_as("ann").post(
        "/api/apps/wait-restart/restart", json={}, headers={"Idempotency-Key": "waits-restart"}
    )
    assert (again.status_code, again.json["job"]) == (202, old)


def test_a_reader_of_events_goes_on_behind_what_it_had(own: Plane) -> None:
    place = own.get("/api/events?limit=1")["next"]
    own.admin.post("/api/apps/hello/restart", json={})
    assert [event["kind"] for event in own.get(f"/api/events?after={place}")["items"]] == ["job.accepted"]


def test_new_rows_get_numbers_behind_the_old_ones(own: Plane) -> None:
    newest = own.rows("SELECT max(id) AS id FROM jobs")[0].id
    assert own.admin.post("/api/apps/hello/restart", json={}).json["job"] == newest + 1


def test_an_old_app_is_torn_down_and_forgotten(own: Plane) -> None:
    own.admin.post("/api/apps/shop/teardown", json={"purge": True})
    own.run(JobClass.DEPLOY)
    with own.database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET state = 'cancelled' WHERE app = 'shop' AND state IN ('queued', 'running')"))
    assert own.admin.ask("DELETE", "/api/apps/shop").status_code == 204
