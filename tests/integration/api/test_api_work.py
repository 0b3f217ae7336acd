"""Work through the API: accepted as a job with 202, once per Idempotency-Key, and refused for apps that cannot
do it.
"""

from __future__ import annotations

import pytest

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import RestartJobRequest
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api.factories import HELLO, Api


@pytest.fixture
def hello(api: Api) -> Api:
    """An application with a live webserver `hello`."""
    shared.add_live(api.database, "hello", "webserver", "repo:\n  url: https://example.com/hello.git\n")
    return api


@pytest.mark.parametrize(
    ("method", "verb", "body", "kind"),
    [
        ("POST", "forge", {"force": True}, "forge"),
        ("POST", "deploy", {"ref": "v2"}, "deploy"),
        ("POST", "restart", {}, "restart"),
        ("POST", "restart", {"now": True}, "restart"),
        ("POST", "scale", {"replicas": 2}, "scale"),
        ("POST", "scale", {"reset": True}, "scale"),
        ("POST", "teardown", {"purge": False}, "teardown"),
        ("DELETE", "forge", None, "teardown"),
    ],
)
def test_work_is_accepted_as_a_job(hello: Api, method: str, verb: str, body: dict[str, object], kind: str) -> None:
    answer = hello.ask(method, f"/api/apps/hello/{verb}", json=body)
    told = (answer.status_code, answer.json["kind"], answer.json["state"], answer.headers["Location"])
    assert told == (202, kind, "queued", f"/api/jobs/{answer.json['job']}")


def test_job_carries_who_asked(hello: Api) -> None:
    job = hello.post("/api/apps/hello/restart", json={}).json["job"]
    assert hello.get(f"/api/jobs/{job}").json["actor"] == "admin"


@pytest.mark.parametrize(("body", "now"), [({}, None), ({"now": False}, None), ({"now": True}, True)])
def test_a_restart_says_whether_old_replicas_may_keep_their_connections(
    hello: Api, database: Database, body: dict[str, object], now: bool | None
) -> None:
    hello.post("/api/apps/hello/restart", json=body)
    assert shared.claim(database).request_as(RestartJobRequest).now is now


def test_deploy_answers_its_deployment(hello: Api) -> None:
    answer = hello.post("/api/apps/hello/deploy", json={"ref": "v2"}).json
    deployment = hello.get(f"/api/deployments/{answer['deployment']}").json
    assert (deployment["ref"], deployment["state"], deployment["job"]) == ("v2", "queued", answer["job"])


def test_rollback_goes_to_the_release_that_is_named(hello: Api) -> None:
    with hello.database.transaction() as tx:
        shared.add_release(tx, shared.spec("hello", "webserver"), 2)
    job = hello.post("/api/apps/hello/rollback", json={"release": 1}).json["job"]
    assert hello.get(f"/api/jobs/{job}").json["release"] == 1


def test_app_without_a_source_is_not_deployed(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    answer = api.post("/api/apps/hello/deploy", json={})
    assert (answer.status_code, "NORN_APPS_DIR" in answer.json["hint"]) == (422, True)


def test_unforged_app_is_not_deployed(api: Api) -> None:
    api.put_spec("hello", HELLO + "repo:\n  url: https://example.com/hello.git\n")
    answer = api.post("/api/apps/hello/deploy", json={})
    assert (answer.status_code, answer.json["code"], answer.json["hint"]) == (409, "not_forged", "norn forge hello")


def test_same_key_is_the_same_job(hello: Api) -> None:
    key = {"Idempotency-Key": "one"}
    answers = [hello.post("/api/apps/hello/restart", json={}, headers=key).json for _ in range(2)]
    assert answers[0]["job"] == answers[1]["job"]


def test_same_key_of_another_actor_is_another_job(hello: Api) -> None:
    other = hello.asked_as(Scope.DEPLOY)
    answers = [
        who.post("/api/apps/hello/restart", json={}, headers={"Idempotency-Key": "one"}) for who in (hello, other)
    ]
    assert answers[0].json["job"] != answers[1].json["job"]


def test_same_key_tells_how_its_job_stands_now(hello: Api) -> None:
    key = {"Idempotency-Key": "one"}
    hello.post("/api/apps/hello/restart", json={}, headers=key)
    shared.claim(hello.database)
    assert hello.post("/api/apps/hello/restart", json={}, headers=key).json["state"] == "running"


def test_same_key_with_another_body_is_refused(hello: Api) -> None:
    key = {"Idempotency-Key": "one"}
    hello.post("/api/apps/hello/scale", json={"replicas": 1}, headers=key)
    answer = hello.post("/api/apps/hello/scale", json={"replicas": 2}, headers=key)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_accepting_makes_do_without_the_broker(hello: Api, database: Database) -> None:
    hello.post("/api/apps/hello/restart", json={})
    assert shared.claim(database, job_class=JobClass.DEPLOY).kind == "restart"


@pytest.mark.parametrize("address", ["forge", "forge-state"])
def test_state_of_the_forge_is_told_with_the_job_that_changes_it(hello: Api, address: str) -> None:
    job = hello.post("/api/apps/hello/forge", json={}).json["job"]
    assert hello.get(f"/api/apps/hello/{address}").json == {"state": "forged", "error": None, "job": job}


def test_cron_app_is_not_restarted(api: Api) -> None:
    shared.add_live(api.database, "tick", "cron")
    answer = api.post("/api/apps/tick/restart", json={})
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_role")


@pytest.mark.parametrize("address", ["releases", "artifacts"])
def test_releases_are_listed_newest_first_with_the_live_one_marked(hello: Api, address: str) -> None:
    with hello.database.transaction() as tx:
        shared.add_release(tx, shared.spec("hello", "webserver"), 2, live=False)
    releases = hello.get(f"/api/apps/hello/{address}").json["items"]
    assert [(release["n"], release["live"]) for release in releases] == [(2, False), (1, True)]
    assert (releases[1]["state"], releases[1]["actor"]) == ("deployed", "test")


def test_deployments_are_listed_newest_first_in_parts(hello: Api) -> None:
    hello.post("/api/apps/hello/deploy", json={})
    first = hello.get("/api/apps/hello/deployments?limit=1").json
    rest = hello.get(f"/api/apps/hello/deployments?limit=1&after={first['next']}").json
    assert [item["state"] for item in first["items"] + rest["items"]] == ["queued", "deployed"]
    assert rest["next"] is None


def test_deployments_can_be_kept_to_a_state(hello: Api) -> None:
    hello.post("/api/apps/hello/deploy", json={})
    assert [item["state"] for item in hello.get("/api/deployments?state=queued").json["items"]] == ["queued"]
