"""Apps through the API: applied, read from directories, listed with their state, forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.app_status import ReplicaStatus, ReplicaUsage, WorkloadStatus
from norn_tasks.domain.jobs.requests import RestartJobRequest
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.store import tables as t
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue.jobs import NewJob, accept
from norn_tasks.store.replicas import observations, routes
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import HELLO, Api


@pytest.fixture
def in_directories(database: Database, tmp_path: Path) -> Any:
    """An application that also reads apps from directories."""
    api = factories.api(database, apps_dir=tmp_path)
    yield api
    api.services.close()


def put(directory: Path, text: str) -> Path:
    """Writes an infraspec into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "infraspec.yaml"
    path.write_text(text)
    return path


def state_of(api: Api, app: str = "hello") -> str:
    """Returns an app's state."""
    return str(api.get(f"/api/apps/{app}").json["state"])


# Applying


def test_new_app_is_201_and_an_old_one_200(api: Api) -> None:
    assert [api.put_spec("hello", HELLO).status_code for _ in range(2)] == [201, 200]


def test_applied_app_is_listed(api: Api) -> None:
    api.put_spec("hello", HELLO)
    app = api.get("/api/apps").json["items"][0]
    assert (app["name"], app["role"], app["state"], app["source"]) == ("hello", "webserver", "unforged", "none")


def test_spec_may_come_in_json(api: Api) -> None:
    assert api.ask("PUT", "/api/apps/hello", json={"infraspec": HELLO}).status_code == 201


def test_applying_the_same_again_tells_nothing(api: Api) -> None:
    for _ in range(2):
        api.put_spec("hello", HELLO)
    assert [event["kind"] for event in api.get("/api/events?app=hello").json["items"]] == ["app.applied"]


def test_broken_spec_is_refused_with_all_its_mistakes(api: Api) -> None:
    answer = api.put_spec("hello", "app: hello\nrole: webserver\ncolour: red\nreplicas: many\n")
    assert (answer.status_code, answer.json["code"]) == (422, "spec_invalid")
    assert {(m["line"], m["field"]) for m in answer.json["mistakes"]} >= {(3, "colour"), (4, "replicas")}


def test_spec_of_another_app_is_refused(api: Api) -> None:
    answer = api.put_spec("other", HELLO)
    assert (answer.status_code, answer.json["mistakes"][0]["field"]) == (422, "app")


def test_name_that_no_app_may_have_is_refused(api: Api) -> None:
    assert api.put_spec("Bad_Name", HELLO).status_code == 422


def test_forged_app_keeps_its_role(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    answer = api.put_spec("hello", "app: hello\nrole: worker\n")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_unforged_app_may_change_its_role(api: Api) -> None:
    api.put_spec("hello", HELLO)
    assert api.put_spec("hello", "app: hello\nrole: worker\n").json["role"] == "worker"


def test_repeated_key_answers_the_same_status(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    assert [api.put_spec("hello", HELLO, **key).status_code for _ in range(2)] == [201, 201]


def test_repeated_key_with_another_body_is_refused(api: Api) -> None:
    api.put_spec("hello", HELLO, **{"Idempotency-Key": "one"})
    answer = api.put_spec("hello", HELLO + "replicas: 2\n", **{"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


# Checking without applying


def test_good_spec_is_valid(api: Api) -> None:
    answer = api.post("/api/validate", data=HELLO, headers={"Content-Type": "text/yaml"})
    assert (answer.json["valid"], answer.json["spec"]["port"]) == (True, 8080)


def test_bad_spec_is_told_with_the_files_name(api: Api) -> None:
    answer = api.post("/api/validate?file=a/infraspec.yaml", data="app: x\n", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json["valid"]) == (200, False)
    assert {mistake["file"] for mistake in answer.json["mistakes"]} == {"a/infraspec.yaml"}


def test_checking_for_an_app_also_checks_the_name(api: Api) -> None:
    answer = api.post("/api/apps/other/validate", data=HELLO, headers={"Content-Type": "text/yaml"})
    assert [mistake["field"] for mistake in answer.json["mistakes"]] == ["app"]


def test_schema_of_the_spec_is_served(api: Api) -> None:
    assert "role" in api.anonymous().get("/api/schema/infraspec").json["properties"]


# Directories


def test_directory_with_a_spec_is_an_app(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "hello", HELLO)
    app = in_directories.get("/api/apps/hello").json
    assert (app["source"], app["origin"], app["state"]) == ("directory", str(tmp_path / "hello"), "unforged")


def test_changed_file_is_read_again(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "hello", HELLO)
    in_directories.get("/api/apps")
    put(tmp_path / "hello", HELLO + "core: true\n")
    assert in_directories.get("/api/apps").json["items"][0]["core"] is True


def test_broken_directory_is_a_broken_app_with_its_mistakes(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "hello", "app: hello\nrole: nonsense\n")
    app = in_directories.get("/api/apps").json["items"][0]
    assert (app["name"], app["state"], app["mistakes"][0]["field"]) == ("hello", "broken", "role")


def test_directory_that_is_no_yaml_is_named_after_itself(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "Hello_1", "{{{")
    assert in_directories.get("/api/apps").json["items"][0]["name"] == "hello-1"


def test_work_on_a_broken_app_tells_its_mistakes(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "hello", "app: hello\nrole: nonsense\n")
    answer = in_directories.post("/api/apps/hello/forge", json={})
    assert (answer.status_code, answer.json["code"]) == (422, "spec_invalid")


def test_two_directories_with_one_name_are_broken_and_name_each_other(in_directories: Api, tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / name, HELLO)
    app = in_directories.get("/api/apps").json["items"][0]
    assert app["state"] == "broken"
    assert str(tmp_path / "a") in app["mistakes"][0]["message"] + app["mistakes"][0]["file"]


def test_whose_an_internal_name_is_hears_only_who_may_see_that_app(api: Api) -> None:
    api.put_spec("hello", HELLO)
    wanted = "app: evil\nrole: webserver\nport: 8080\nhosts:\n  internal: hello\n"
    told = [asked.put_spec("evil", wanted).json for asked in (api, api.asked_as(Scope.DEPLOY, apps=("evil",)))]
    assert [(each["code"], each["detail"]) for each in told] == [
        ("host_taken", "hosts.internal: hello is the internal name of hello"),
        ("host_taken", "hosts.internal: hello is the internal name of another app"),
    ]


def test_app_of_a_directory_cannot_be_applied(in_directories: Api, tmp_path: Path) -> None:
    put(tmp_path / "hello", HELLO)
    answer = in_directories.put_spec("hello", HELLO)
    assert answer.status_code == 409
    assert str(tmp_path / "hello") in answer.json["detail"]


def test_name_in_both_places_is_broken_and_names_the_directory(in_directories: Api, tmp_path: Path) -> None:
    in_directories.put_spec("hello", HELLO)
    put(tmp_path / "hello", HELLO)
    app = in_directories.get("/api/apps/hello").json
    assert app["state"] == "broken"
    assert str(tmp_path / "hello") in app["mistakes"][0]["message"]


def test_name_in_both_places_takes_no_work(in_directories: Api, tmp_path: Path) -> None:
    in_directories.put_spec("hello", HELLO)
    put(tmp_path / "hello", HELLO)
    assert in_directories.post("/api/apps/hello/forge", json={}).status_code == 409


def test_directory_that_went_away_is_told(in_directories: Api, tmp_path: Path) -> None:
    path = put(tmp_path / "hello", HELLO)
    in_directories.post("/api/apps/hello/forge", json={})
    path.unlink()
    app = in_directories.get("/api/apps/hello").json
    assert any("no longer in NORN_APPS_DIR" in notice for notice in app["notices"])


def test_unreadable_things_in_the_directory_are_passed_over(in_directories: Api, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "infraspec.yaml").mkdir(parents=True)
    assert in_directories.get("/api/apps").json["items"] == []


# Lists


def test_apps_come_by_name_and_in_parts(api: Api) -> None:
    for name in ("c", "a", "b"):
        api.put_spec(name, f"app: {name}\nrole: worker\n")
    first = api.get("/api/apps?limit=2").json
    rest = api.get(f"/api/apps?limit=2&after={first['next']}").json
    assert [app["name"] for app in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None


def test_hidden_app_is_listed_only_when_asked_for(api: Api) -> None:
    api.put_spec("hello", HELLO + "deploy: false\n")
    assert api.get("/api/apps").json["items"] == []
    assert len(api.get("/api/apps?all=true").json["items"]) == 1


def test_list_can_be_kept_to_a_role(api: Api) -> None:
    api.put_spec("hello", HELLO)
    api.put_spec("tick", "app: tick\nrole: cron\nschedule: '@daily'\n")
    assert [app["name"] for app in api.get("/api/apps?role=cron").json["items"]] == ["tick"]


# The state of an app


def test_app_with_a_live_release_and_no_replica_seen_is_down(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    assert state_of(api) == "down"


@pytest.mark.parametrize(("ready", "state"), [(0, "down"), (1, "degraded"), (2, "running")])
def test_state_follows_the_last_look(api: Api, ready: int, state: str) -> None:
    shared.add_live(api.database, "hello", "webserver")
    seen = WorkloadStatus("hello", 2, ready, (ReplicaStatus("norn-hello-1", "running", 1, 0, True),))
    with api.database.transaction() as tx:
        observations.workload_seen(tx, {}, WorkloadSeen("docker", (seen,), complete=True))
    app = api.get("/api/apps/hello").json
    assert (app["state"], app["ready"], app["wanted"], app["replicas"][0]["name"]) == (state, ready, 2, "norn-hello-1")


def test_an_app_shows_what_its_replicas_use(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    looks = [{"a": (100.0, 5.0), "b": (100.0, 9.0)}, {"a": (110.0, 6.0), "b": (112.0, 0.5)}]
    for look in looks:  # between the two observations, replica b was restarted
        replicas = [
            ReplicaStatus(each, "running", 1, usage=ReplicaUsage(each, at, seconds, 3_000_000, 64_000_000))
            for each, (at, seconds) in look.items()
        ]
        with api.database.transaction() as tx:
            seen = WorkloadStatus("hello", 2, 2, tuple(replicas))
            observations.workload_seen(tx, {}, WorkloadSeen("docker", (seen,), complete=True))
    app = api.get("/api/apps/hello").json
    assert [each["usage"]["cpus"] for each in app["replicas"]] == [0.1, None]
    assert app["usage"] == {
        "cpus": 0.1, "memory": 6_000_000, "memory_limit": 128_000_000, "measured_at": "1970-01-01T00:01:50Z",
    }  # fmt: skip
    assert api.get("/api/apps").json["items"][0]["usage"] == app["usage"]


def test_an_app_shows_how_much_of_the_time_it_served(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    spans = [("down", "exited 3", 6, 3), ("stopped", "", 12, 6), ("running", "", 3, 0)]
    with api.database.transaction() as tx:
        for state, reason, began, ended in spans:
            tx.execute(
                text("""INSERT INTO app_states(app, state, reason, began_at, ended_at) VALUES ('hello', :s, :r,
                clock_timestamp() - make_interval(hours => :b), CASE WHEN :e > 0 THEN
                clock_timestamp() - make_interval(hours => :e) END)"""),
                {"s": state, "r": reason, "b": began, "e": ended},
            )
    found = api.get("/api/apps/hello").json["uptime"]
    assert (found["day"], found["week"]) == (50.0, 50.0)
    assert [each["state"] for each in found["changes"]] == ["running", "stopped", "down"]
    first = api.get("/api/apps/hello/health-checks?limit=2").json
    rest = api.get(f"/api/apps/hello/health-checks?after={first['next']}").json
    states = [(each["state"], each["reason"], each["ended_at"] is None) for each in first["items"] + rest["items"]]
    assert states == [("running", "", True), ("stopped", "", False), ("down", "exited 3", False)]


def test_forged_app_without_release_is_never_deployed(api: Api) -> None:
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("hello", "webserver"))
    assert state_of(api) == "never deployed"


def test_failed_forge_shows_its_error(api: Api) -> None:
    api.put_spec("hello", HELLO)
    error = {"code": "engine_down", "sentence": "the engine does not answer", "hint": "start Docker"}
    with api.database.transaction() as tx:
        tx.execute(update(t.AppRow).values(forge_state="forge_failed", forge_error=error))
    app = api.get("/api/apps/hello").json
    assert (app["state"], app["forge"]["error"]["code"]) == ("forge_failed", "engine_down")


def test_webserver_shows_its_address(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    with api.database.transaction() as tx:
        routes.reserve_address(tx, "hello", 18800, 18810)
    assert api.get("/api/apps/hello").json["url"] == "http://127.0.0.1:18800"


def test_function_shows_where_it_is_called(api: Api) -> None:
    shared.add_live(api.database, "hello")
    assert api.get("/api/apps/hello").json["url"] == "http://localhost/fn/hello"


def test_function_shows_the_calls_of_the_last_hour(api: Api) -> None:
    shared.add_live(api.database, "hello")
    shared.add_live(api.database, "quiet")
    ends = [("succeeded", 10, 0), ("failed", 20, 5), ("cancelled", 30, 10), ("pending", None, 0), ("failed", 90, 61)]
    with api.database.transaction() as tx:
        for number, (state, took, minutes) in enumerate(ends):
            row = {"id": 1000 + number, "app": "hello", "job_id": 1, "actor": "x", "state": state, "duration_ms": took}
            made_at = datetime.now(UTC) - timedelta(minutes=minutes)
            tx.execute(
                insert(t.FunctionExecutionRow).values(**row, created_at=made_at, sync=True, method="GET", path="/")
            )
    figures = {"calls": 4, "errors": 1, "p50_ms": 20, "p99_ms": 30}
    assert api.get("/api/apps/hello").json["figures"] == figures
    listed = {app["name"]: app["figures"] for app in api.get("/api/apps").json["items"]}
    assert listed == {"hello": figures, "quiet": {"calls": 0, "errors": 0, "p50_ms": None, "p99_ms": None}}


def test_live_release_and_last_deployment_are_shown(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    app = api.get("/api/apps/hello").json
    assert (app["release"], app["live"]["release"], app["last_deployment"]["live"]) == (1, 1, True)


def test_running_work_is_shown(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    with api.database.transaction() as tx:
        job = accept(tx, NewJob(RestartJobRequest("sha256:1", None), "hello", "test", patience=60))
    assert api.get("/api/apps/hello").json["running_job"] == {"id": job, "kind": "restart"}


def test_scale_override_is_shown_with_who_and_when(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    api.post("/api/apps/hello/scale", json={"replicas": 3})
    override = api.get("/api/apps/hello").json["replicas_override"]
    assert (override["replicas"], override["by"]) == (3, "admin")
    assert override["at"].endswith("Z")


def test_a_public_name_without_a_tunnel_is_not_routed(api: Api) -> None:
    api.put_spec("hello", HELLO + "hosts:\n  external: hello.example.com\n")
    external = api.get("/api/apps/hello").json["external"]
    assert external.startswith("hello.example.com: not routed: there is neither an edge (docs/edge.md) nor a tunnel")


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ("'hello.example.com', 'routed', ''", "hello.example.com: routed"),
        ("'hello.example.com', 'drifted', 'it has no DNS record'", "hello.example.com: drifted: it has no DNS record"),
        ("'hello.example.com', 'not routed', ''", "hello.example.com: not routed: norn forge hello routes it"),
        (
            "'old.example.com', 'routed', ''",
            "old.example.com: drifted: the infraspec says hello.example.com; norn forge",
        ),
    ],
)
def test_a_public_name_is_shown_as_it_is_routed(api: Api, row: str, shown: str) -> None:
    api.put_spec("hello", HELLO + "hosts:\n  external: hello.example.com\n")
    with api.database.transaction() as tx:
        tx.execute(text(f"INSERT INTO external_hosts (app, host, state, reason) VALUES ('hello', {row})"))
    assert api.get("/api/apps/hello").json["external"].startswith(shown)


def test_cron_app_shows_its_schedule_and_last_verdict(api: Api) -> None:
    shared.add_live(api.database, "tick", "cron")
    with api.database.transaction() as tx:
        tx.execute(insert(t.CronTickRow).values(
            app="tick", scheduled_for=NOW, verdict="fired", decided_by="beat"))  # fmt: skip
    app = api.get("/api/apps/tick").json
    assert (app["state"], app["schedule"]["text"], app["schedule"]["state"], app["schedule"]["last"]["verdict"]) == (
        "scheduled", "0 9 * * *", "scheduled", "fired",
    )  # fmt: skip


def test_cron_app_before_its_first_release_waits_for_it(api: Api) -> None:
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("tick", "cron"))
        schedules.register(tx, "tick", "0 9 * * *", "UTC", 1)
    assert api.get("/api/apps/tick").json["schedule"]["state"] == "waiting for its first deploy"


def test_recent_runs_of_a_cron_app_are_shown_with_their_first_error_line(api: Api) -> None:
    shared.add_live(api.database, "tick", "cron")
    factories.add_cron_run(api.database, "tick", state="failed", exit_code=3, stderr="\nno disk\nbye\n")
    recent = api.get("/api/apps/tick").json["recent"]
    assert [(run["exit_code"], run["first_error_line"]) for run in recent] == [(3, "no disk")]


def test_fresh_look_asks_a_worker_and_answers_without_one(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    assert api.get("/api/apps/hello?fresh=1").status_code == 200
    assert api.get("/api/jobs?kind=observe").json["items"][0]["state"] == "queued"


# Forgetting


def test_app_with_nothing_running_is_forgotten(api: Api) -> None:
    api.put_spec("hello", HELLO)
    assert api.ask("DELETE", "/api/apps/hello").status_code == 204
    assert api.get("/api/apps/hello").status_code == 404


def test_forged_app_is_not_forgotten(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    answer = api.ask("DELETE", "/api/apps/hello")
    assert (answer.status_code, "norn teardown hello" in answer.json["hint"]) == (409, True)


def test_app_with_a_waiting_job_is_not_forgotten(api: Api) -> None:
    api.put_spec("hello", HELLO)
    api.post("/api/apps/hello/forge", json={})
    assert api.ask("DELETE", "/api/apps/hello").status_code == 409


@pytest.mark.parametrize("text", [HELLO, "app: hello\nrole: nonsense\n"])
def test_app_of_a_directory_that_was_never_forged_has_its_secrets_forgotten(
    in_directories: Api, tmp_path: Path, text: str
) -> None:
    put(tmp_path / "hello", text)
    with in_directories.database.transaction() as tx:
        tx.execute(insert(t.SecretRow).values(app="hello", name="KEY", version=1, sealed=b"x", set_by="ann"))
    assert in_directories.ask("DELETE", "/api/apps/hello").status_code == 204
    assert in_directories.get("/api/apps/hello/secrets").json["items"] == []


def _known(api: Api, directory: Path) -> None:
    """Makes an app from a directory: Norn has a row for it, and no part of it runs."""
    put(directory, HELLO)
    api.post("/api/apps/hello/forge", json={})
    api.post("/api/jobs/1/cancel")


def test_app_of_a_directory_is_forgotten_and_stays_listed(in_directories: Api, tmp_path: Path) -> None:
    _known(in_directories, tmp_path / "hello")
    assert in_directories.ask("DELETE", "/api/apps/hello").status_code == 204
    assert state_of(in_directories) == "unforged"


def test_forgotten_app_of_a_directory_is_gone_with_the_directory(in_directories: Api, tmp_path: Path) -> None:
    _known(in_directories, tmp_path / "hello")
    in_directories.ask("DELETE", "/api/apps/hello")
    (tmp_path / "hello" / "infraspec.yaml").unlink()
    assert in_directories.get("/api/apps/hello").status_code == 404


def test_applied_app_is_forgotten_when_a_directory_has_its_name_too(in_directories: Api, tmp_path: Path) -> None:
    in_directories.put_spec("hello", HELLO)
    put(tmp_path / "hello", HELLO)
    assert in_directories.ask("DELETE", "/api/apps/hello").status_code == 204
    assert state_of(in_directories) == "unforged"


@pytest.mark.parametrize("text", [HELLO, "app: hello\nrole: nonsense\n"])
def test_directory_is_told_whatever_its_infraspec_says(in_directories: Api, tmp_path: Path, text: str) -> None:
    put(tmp_path / "hello", text)
    assert in_directories.get("/api/apps/hello").json["directory"] == str(tmp_path / "hello")


def test_applied_app_has_no_directory(api: Api) -> None:
    api.put_spec("hello", HELLO)
    assert api.get("/api/apps/hello").json["directory"] is None


def test_the_infraspecs_that_were_applied_are_listed(api: Api) -> None:
    for replicas in (1, 2):
        api.put_spec("hello", f"app: hello\nrole: worker\nreplicas: {replicas}\n")
    items = api.get("/api/apps/hello/specs").json["items"]
    assert [(each["version"], each["spec"]["replicas"], each["actor"]) for each in items] == [
        (2, 2, "admin"),
        (1, 1, "admin"),
    ]
    assert api.get("/api/apps/nothere/specs").status_code == 404


def test_a_plan_of_an_infraspec_is_made_before_it_is_applied(api: Api) -> None:
    sent = api.post("/api/apps/hello/plan", data=HELLO, headers={"Content-Type": "text/yaml"})
    assert sent.status_code == 200, sent.json
    assert sent.json["changed"] and api.get("/api/apps/hello").status_code == 404


def test_a_plan_needs_an_app_or_an_infraspec(api: Api) -> None:
    assert api.get("/api/apps/nothere/plan").status_code == 404
