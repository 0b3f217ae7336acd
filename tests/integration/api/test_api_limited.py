"""A token that is limited to one app reveals nothing about other apps: neither their names nor their activity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, text

from norn_api.access.permissions import TABLE
from norn_api.app import create_app
from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.store import tables as t
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import Presence
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_cron_run

OTHER = "papertiger"
HOST = "host-of-the-server"
ENDLESS = (("GET", "/api/events/stream"), ("GET", "/api/stream"))
OF_SERVER = {("GET", "/api/stats"), ("GET", "/metrics"), ("GET", "/api/workers")}


@dataclass(frozen=True)
class Ids:
    """The ids of the other app's objects, and an id that does not exist."""

    job: int
    deployment: int
    execution: int
    nothing: int = 999_999


@pytest.fixture
def ids(api: Api) -> Ids:
    """Makes the app `hello` and another app that has one object of each kind."""
    shared.add_live(api.database, "hello", "webserver")
    shared.add_live(api.database, OTHER)
    shared.add_live_cron(api.database, f"{OTHER}-cron", "schedule: '0 9 * * *'\n")
    add_cron_run(api.database, f"{OTHER}-cron", 1)
    with api.database.transaction() as tx:
        job = shared.add_job(tx, JobKind.EXEC, OTHER)
        deployment = int(tx.scalar(text("SELECT id FROM deployments WHERE app = :app"), {"app": OTHER}) or 0)
        call = runs.accept_call(tx, releases.require_live(tx, OTHER), Call(), sync=True, actor=OTHER, patience=60)
        ran = {"id": 1, "app": OTHER, "job_id": job, "actor": OTHER, "command": ["ls"], "timeout": 60}
        tx.execute(insert(t.OneOffRow).values(ran))
        workers.say(tx, Presence(f"deploy@{HOST}", JobClass.DEPLOY, HOST, 1, 1, shared.ENGINE, None))
    return Ids(job, deployment, call.execution)


def _address(rule: str, **filled: object) -> str:
    given = {
        "app": "hello",
        "file": "x",
        "rest": "x",
        "token": 1,
        "session": 9,
        "snapshot": 1,
        "webhook": 1,
        "login": 1,
        "other": 1,
        "name": "x",
        "secret": "X",
        "run": 1,
        **filled,
    }
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(given[part[1]]), rule)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.INVOKE, Scope.DEPLOY])
def test_no_route_tells_the_name_of_another_app(api: Api, ids: Ids, scope: Scope) -> None:
    limited = api.asked_as(scope, apps=("hello",))
    telling = []
    for method, rule in sorted(TABLE):
        if (method, rule) in ENDLESS:
            continue
        for filled in (vars(ids), {"execution": 1, "run": 1, "job": ids.job, "deployment": ids.deployment}):
            path = _address(rule, invocation=ids.execution, **filled)
            body = {"json": {}} if method in ("POST", "PUT") else {}
            answer = limited.ask(method, path, **body)
            if OTHER in answer.text or HOST in answer.text or OTHER in str(answer.headers):
                telling.append((method, path, answer.text))
    assert telling == []


BODIES = {"input": {"data": "", "seq": 1}, "/resolve": {"resolution": "done"}}
"""The request bodies for routes that refuse an empty body, by the end of the route."""
BY_ID = [
    (method, rule)
    for method, rule in sorted(TABLE)
    if re.search("<id:(job|deployment|run|invocation)>", rule) and not rule.startswith("/api/apps")
]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.DEPLOY])
def test_what_another_app_has_looks_like_what_is_not_there(api: Api, ids: Ids, scope: Scope) -> None:
    limited = api.asked_as(scope, apps=("hello",))
    for method, rule in BY_ID:
        theirs = _address(rule, **{**vars(ids), "invocation": ids.execution})
        absent = _address(rule, **dict.fromkeys(("job", "deployment", "run", "invocation"), ids.nothing))
        filled = next((some for end, some in BODIES.items() if rule.endswith(end)), {})
        body = {"json": filled} if method == "POST" else {}
        one, other = (limited.ask(method, path, **body) for path in (theirs, absent))
        assert (one.status_code, one.json["code"]) == (other.status_code, other.json["code"]), (method, rule)
        assert re.sub(r"\d+", "N", one.json["detail"]) == re.sub(r"\d+", "N", other.json["detail"])
        assert one.status_code in ((403, 404) if scope is Scope.READ else (404,))


def test_pages_of_the_server_are_closed(api: Api, ids: Ids) -> None:
    limited = api.asked_as(Scope.DEPLOY, apps=("hello",))
    assert {route: limited.ask(*route).status_code for route in OF_SERVER} == dict.fromkeys(OF_SERVER, 403)


@pytest.mark.parametrize("path", ["/api/health", "/api/doctor"])
def test_checks_tell_a_limited_token_no_host_and_no_directory(api: Api, ids: Ids, path: str) -> None:
    told = api.asked_as(Scope.READ, apps=("hello",)).get(path).text
    assert HOST not in told and str(api.services.settings.data_dir) not in told


def test_health_tells_strangers_the_state_of_each_part_and_no_more(api: Api, ids: Ids) -> None:
    checks = api.anonymous().get("/api/health").json["checks"]
    assert {"database", "broker", "disk"} <= {check["name"] for check in checks}
    assert {(check["message"], check["hint"]) for check in checks if check["name"] == "disk"} == {("", "")}
    assert all(check["message"] for check in api.get("/api/health").json["checks"])


def test_name_of_a_revoked_token_is_not_given_again(api: Api) -> None:
    """Objects of the revoked token are found by its name."""
    first = factories.Api(api.app, api.database).asked_as(Scope.INVOKE)
    (token,) = [each for each in api.get("/api/tokens").json["items"] if each["name"] == "invoke"]
    assert first.token is not None
    api.ask("DELETE", f"/api/tokens/{token['id']}")
    again = api.post("/api/tokens", json={"name": "invoke", "scopes": ["invoke"]})
    assert (again.status_code, again.json["code"]) == (409, "conflict")


# Pages of other origins

PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization, content-type"}  # fmt: skip


def _another(api: Api, **settings: Any) -> Api:
    """Returns another application over the same database, used as the same admin."""
    return Api(create_app(shared.intake(api.database, **settings)), api.database, api.token)


def _calls(api: Api) -> int:
    with api.database.transaction() as tx:
        return int(tx.scalar(text("SELECT count(*) FROM func_executions")) or 0)


def test_preflight_of_a_browser_needs_no_token_and_runs_nothing(api: Api) -> None:
    shared.add_live(api.database, "fn")
    answer = api.anonymous().ask("OPTIONS", "/fn/fn/x", headers=PREFLIGHT)
    assert (answer.status_code, _calls(api)) == (204, 0)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    refused = api.anonymous().ask("POST", "/fn/fn/x", headers={"Origin": "https://shop.example"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_without_tokens_no_page_of_another_origin_runs_a_function(api: Api, method: str) -> None:
    opened = _another(api, auth="off")
    shared.add_live(api.database, "fn")
    seen = {"Host": "127.0.0.1:8800", "Sec-Fetch-Site": "cross-site", **(PREFLIGHT if method == "OPTIONS" else {})}
    answer = opened.anonymous().ask(method, "/fn/fn", headers=seen)
    assert (answer.status_code, _calls(api)) == (403, 0)
    assert "Access-Control-Allow-Origin" not in answer.headers
    opened.services.close()


def test_each_status_of_a_refusal_is_in_the_document(api: Api) -> None:
    operations = [each for item in api.get("/api/openapi.json").json["paths"].values() for each in item.values()]
    assert all("414" in operation["responses"] for operation in operations)


# Limits for one token


def test_one_token_holds_at_most_half_of_the_streams(api: Api) -> None:
    narrow = _another(api, max_streams=4)
    one = narrow.asked_as(Scope.READ, apps=("hello",))
    held = [one.get("/api/events/stream") for _ in range(2)]
    assert [one.get("/api/events/stream").status_code, narrow.get("/api/events/stream").status_code] == [429, 200]
    for answer in held:
        answer.close()
    narrow.services.close()


def test_flood_of_refused_changes_leaves_few_rows(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    reader = api.asked_as(Scope.READ)
    assert {reader.post("/api/apps/hello/deploy", json={}).status_code for _ in range(60)} == {403}
    rows = [each for each in api.get("/api/audit?limit=200").json["items"] if each["actor"] == "read"]
    assert 1 <= len(rows) <= 25


def test_one_token_has_at_most_half_of_the_readers_of_logs(connected: Api) -> None:
    shared.add_live(connected.database, "hello", "webserver")
    factories.add_worker(connected.database, JobClass.OBSERVE, slots=5)
    one = connected.asked_as(Scope.DEPLOY)
    program = {"json": {"command": ["true"]}}
    statuses = [one.post("/api/apps/hello/exec", **program).status_code for _ in range(3)]
    assert (statuses, connected.post("/api/apps/hello/exec", **program).status_code) == ([202, 202, 429], 202)
