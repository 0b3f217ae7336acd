"""After an upgrade the schema equals that of a new database, and all old data can be read as before."""

from __future__ import annotations

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from norn_api.access.permissions import TABLE
from norn_tasks.domain.infraspec import from_json
from norn_tasks.store.apps import registry
from norn_tasks.store.database.columns import Base
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas.routes import live_routes
from tests.upgrade.kit import Plane

# The schema

_SCHEMA = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, generation_expression
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "constraints": """SELECT CAST(conrelid AS regclass), conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = CAST('public' AS regnamespace)""",
}


@pytest.mark.parametrize("kind", _SCHEMA)
def test_an_upgraded_database_has_the_schema_of_a_new_one(plane: Plane, database: Database, kind: str) -> None:
    def schema(of: Database) -> set[str]:
        with of.transaction() as tx:
            return {str(row) for row in tx.exec_driver_sql(_SCHEMA[kind])}

    assert schema(plane.database) ^ schema(database) == set()


def test_the_schema_is_what_tables_describes(plane: Plane) -> None:
    with plane.database.transaction() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), Base.metadata)
    assert [difference for difference in differences if difference[0] != "remove_index"] == []


# Data that users read

_RUNNING = (
    *("hello", "mailer", "pages", "shop"),
    *(f"left-{what}" for what in ("build", "cancelled", "pruning", "restart", "rollback", "rollout", "scale")),
    *("left-source", "left-test", "wait-deploy", "wait-restart", "wait-rollback", "wait-scale", "wait-teardown"),
)
_SCHEDULED = (
    *("big", "busy", "digest", "failing", "flaky-run", "hourly", "mended", "missing", "monthly", "nightly", "outage"),
    *("report", "strict", "ticker", "unreadable", "weekly"),
)
STATES = {
    **dict.fromkeys(_RUNNING, "running"),
    **dict.fromkeys(_SCHEDULED, "scheduled"),
    **dict.fromkeys(("echo", "flaky", "resize", "secretive", "slow"), "ready"),
    **dict.fromkeys(("bare", "draft", "oldshop", "wait-forge"), "unforged"),
    **dict.fromkeys(("broken", "dying", "tested"), "forge_failed"),
    **dict.fromkeys(("left-repair", "wait-repair"), "down"),
    "cleanup": "paused", "hidden": "off", "idle": "never deployed", "left-forge": "forging",
    "left-teardown": "tearing_down", "stopped": "stopped",
}  # fmt: skip


def test_each_app_is_in_the_state_that_it_was_in(plane: Plane) -> None:
    assert {app["name"]: app["state"] for app in plane.get("/api/apps?all=true&limit=200")["items"]} == STATES


_APPS = "SELECT name FROM apps UNION SELECT 'bare'"
_CRONS = "SELECT app FROM cron_states"
_JOBS = "SELECT id FROM jobs"
_ONE_OF_EACH = "SELECT max(id) FROM {} GROUP BY kind, state"
FILLED = {
    "/api/apps/<app>/cron": _CRONS,
    "/api/apps/<app>/cron/history": _CRONS,
    "/api/apps/<app>/cron/next": f"{_CRONS} WHERE app <> 'unreadable'",
    "/api/apps/<app>/cron/executions/<id:execution>": "SELECT app, id FROM cron_executions",
    "/api/apps/<app>/function/history": "SELECT DISTINCT app FROM func_executions",
    "/api/invocations/<id:invocation>": "SELECT id FROM func_executions",
    "/api/runs/<id:run>": "SELECT id FROM oneoffs",
    "/api/jobs/<id:job>": _JOBS,
    "/api/jobs/<id:job>/logs": _ONE_OF_EACH.format("jobs"),
    "/api/jobs/<id:job>/events": _ONE_OF_EACH.format("jobs WHERE state NOT IN ('queued', 'running')"),
    "/api/deployments/<id:deployment>": "SELECT id FROM deployments",
    "/api/notifications/<name>/deliveries": "SELECT name FROM destinations",
}
"""Paths of the API, each with the query for its parameters. Any other path with `<app>` is read for each app."""
UNREAD = (
    "/assets/<path:file>", "/api/docs/<path:file>", "/api/events/stream", "/api/stream",
    "/api/execs/<id:job>/output",
    "/api/apps/<app>/logs", "/fn/<app>",
    "/fn/<app>/<rest:rest>",
    "/api/webhooks/<id:webhook>/deliveries",
    "/api/apps/<app>/secrets/export/<id:job>", "/api/apps/<app>/snapshots/<id:snapshot>/file",
    "/api/invocations/<id:invocation>/comparison/<id:other>",
)  # fmt: skip
"""Paths that are not read: their rows did not exist in the old version, their bodies are deleted, they need a worker,
or their response never ends.
"""


@pytest.mark.parametrize("rule", [rule for method, rule in TABLE if method == "GET" and rule not in UNREAD])
def test_every_get_answers_200_for_everything_that_was_there(plane: Plane, rule: str) -> None:
    rows = plane.rows(FILLED.get(rule, _APPS if "<app>" in rule else "SELECT"))
    paths = [re.sub("<.*?>", "{}", rule).format(*row) for row in rows]
    answers = {path: _status(plane, path) for path in paths}
    assert {path: status for path, status in answers.items() if status != 200} == {}
    assert answers


def _status(plane: Plane, path: str) -> int:
    with plane.admin.get(path) as answer:
        assert answer.get_data() is not None
        return answer.status_code


@pytest.mark.parametrize("column", ["kind", "state", "app"])
def test_jobs_are_listed_by_what_they_are(plane: Plane, column: str) -> None:
    counts = {row[0]: row[1] for row in plane.rows(f"SELECT {column}, count(*) FROM jobs GROUP BY 1") if row[0]}
    found = {each: len(plane.get(f"/api/jobs?{column}={each}&limit=200")["items"]) for each in counts}
    assert found == counts


def test_why_says_what_went_wrong_with_a_deploy_of_before(plane: Plane) -> None:
    assert "no database" in str(plane.get("/api/apps/pages/why"))


def test_a_failed_deploy_that_wanted_five_replicas_leaves_one_wanted(plane: Plane) -> None:
    app = plane.get("/api/apps/pages")
    assert (app["spec"]["replicas"], app["ready"], app["wanted"]) == (5, 1, 1)


def test_an_app_keeps_what_it_was_scaled_to(plane: Plane) -> None:
    app = plane.get("/api/apps/shop")
    assert (app["replicas_override"]["replicas"], app["ready"], app["wanted"]) == (3, 3, 3)


def test_releases_keep_their_numbers_images_and_what_is_pruned(plane: Plane) -> None:
    releases = plane.get("/api/apps/shop/releases")["items"]
    assert [(each["n"], each["pruned_at"] is None) for each in releases] == [
        (4, True),
        (3, False),
        (2, True),
        (1, False),
    ]


def test_the_doctor_finds_this_versions_schema(plane: Plane) -> None:
    checks = {check["name"]: check["status"] for check in plane.get("/api/doctor")["checks"]}
    assert (checks["schema"], checks["database"]) == ("ok", "ok")


def test_an_app_keeps_its_address_and_its_replicas_behind_it(plane: Plane) -> None:
    with plane.database.transaction() as tx:
        route = next(route for route in live_routes(tx).routes if route.app == "shop")
    assert (route.port, len(route.targets), route.release) == (18800, 3, 4)


@pytest.mark.parametrize(("app", "port"), [("shop", 18800), ("hello", 18801), ("pages", 18802)])
def test_a_webserver_keeps_its_url(plane: Plane, app: str, port: int) -> None:
    assert plane.get(f"/api/apps/{app}")["url"] == f"http://127.0.0.1:{port}"


def test_open_alerts_stay_open(plane: Plane) -> None:
    assert {(alert["kind"], alert["app"]) for alert in plane.get("/api/alerts")["items"]} >= {
        ("image-gone", "report"), ("runs-missed", "missing"), ("runs-failing", "failing"),
        ("schedule-unreadable", "unreadable"), ("paused-long", "cleanup"),
    }  # fmt: skip


def test_a_schedule_keeps_its_override_and_its_pause(plane: Plane) -> None:
    digest, cleanup = (plane.get(f"/api/apps/{app}/cron")["schedule"] for app in ("digest", "cleanup"))
    assert (digest["text"], digest["timezone"], cleanup["state"]) == ("*/10 * * * *", "Asia/Tokyo", "paused")


def test_a_recorded_call_keeps_its_answer(plane: Plane) -> None:
    (call,) = plane.rows("SELECT min(id) AS id FROM func_executions WHERE app = 'resize'")
    assert plane.get(f"/api/invocations/{call.id}")["stdout"] == "hello"


# Permissions


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("ann", "/api/tokens", 200), ("deployer", "/api/apps/pages", 200), ("deployer", "/api/tokens", 403),
        ("shop-caller", "/api/apps/shop", 200), ("shop-caller", "/api/apps/pages", 403), ("gone", "/api/apps", 401),
    ],
)  # fmt: skip
def test_a_token_reaches_what_it_reached(plane: Plane, token: str, path: str, status: int) -> None:
    assert plane.asked_as(token).get(path).status_code == status


@pytest.mark.parametrize("table", ["apps", "releases", "jobs"])
def test_specs_of_before_have_their_defaults(plane: Plane, table: str) -> None:
    specs = [row[0] for row in plane.rows(f"SELECT spec FROM {table} WHERE jsonb_typeof(spec) = 'object'")]
    assert specs
    assert [spec for spec in specs if spec != from_json(spec).frozen()] == []


def test_an_app_shows_what_was_written_of_its_spec(plane: Plane) -> None:
    spec = plane.get("/api/apps/pages")["spec"]
    assert "replicas" in spec
    assert "jitter" not in spec


def test_the_same_spec_again_is_no_new_version(own: Plane) -> None:
    versions = "SELECT name, version FROM apps WHERE source = 'applied' ORDER BY name"
    before = own.rows(versions)
    with own.database.transaction() as tx:
        for row in own.rows("SELECT written FROM apps WHERE source = 'applied'"):
            registry.apply(tx, None, from_json(row[0]), actor="ann")
    assert (own.rows(versions), bool(before)) == (before, True)
