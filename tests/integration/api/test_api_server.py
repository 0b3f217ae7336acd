"""The API's information about the server: health from database rows, figures, workers, version."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text, update

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.settings import Settings
from norn_tasks.store import tables as t
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import Presence
from norn_tasks.store.replicas import routes
from tests import factories as shared
from tests.integration.api.factories import HELLO, Api, add_worker

AGO = "clock_timestamp() - interval '{}'"


def check(api: Api, name: str) -> Any:
    """Returns one check of the health."""
    return next(one for one in api.get("/api/health").json["checks"] if one["name"] == name)


def change(api: Api, table: Any, **values: Any) -> None:
    """Changes every row of a table."""
    with api.database.transaction() as tx:
        tx.execute(update(table).values(values))


def test_settings_are_listed_without_passwords(api: Api) -> None:
    text = api.get("/api/settings").text
    found = {one["name"]: one for one in api.get("/api/settings").json["items"]}
    assert (found["NORN_MAX_STREAMS"]["value"], found["NORN_MAX_STREAMS"]["set"]) == ("150", False)
    database = found["NORN_DATABASE_URL"]
    assert (database["value"], database["set"], database["secret"]) == (None, True, True)
    assert api.services.settings.database_url not in text


@pytest.mark.parametrize("setting", ["database_url", "database_listen_url", "broker_url", "age_key", "smtp_url",
                                     "deadman_url"])  # fmt: skip
def test_a_setting_that_may_hold_a_password_is_shown_nowhere(setting: str) -> None:
    assert not Settings.model_fields[setting].repr


def test_health_names_everything_that_norn_needs(api: Api) -> None:
    names = [one["name"] for one in api.anonymous().get("/api/health").json["checks"]]
    assert sorted(names) == sorted([
        "database", "broker", "disk", "worker:invoke", "worker:cron", "worker:deploy", "worker:observe", "beat",
        "engine", "router",
    ])  # fmt: skip


def test_health_is_ok_when_everything_is(connected: Api) -> None:
    for job_class in JobClass:
        add_worker(connected.database, job_class)
    with connected.database.transaction() as tx:
        workers.beat(tx, "beat", 0.0)
    health = connected.get("/api/health")
    assert (health.status_code, health.json["status"], health.json["version"] != "") == (200, "ok", True)


def test_health_is_degraded_and_still_200_without_workers(connected: Api) -> None:
    health = connected.get("/api/health")
    assert (health.status_code, health.json["status"]) == (200, "degraded")


def test_absent_broker_fails_with_what_to_do(api: Api) -> None:
    told = check(api, "broker")
    assert (told["status"], told["hint"] != "") == ("fail", True)


@pytest.mark.parametrize("name", ["worker:invoke", "beat", "engine"])
def test_what_is_away_is_not_answered_with_a_second_server(api: Api, name: str) -> None:
    """The hint must not tell the user to start a server, because the one that responds is up. Where its processes write
    their logs depends on how it was started, so the hint names both commands.
    """
    hint = check(api, name)["hint"]
    assert ("norn up" in hint, "norn logs --server" in hint, "docker-compose logs" in hint) == (False, True, True)


def test_worker_that_spoke_lately_is_ok(api: Api) -> None:
    add_worker(api.database)
    assert check(api, "worker:invoke")["message"] == "1 there, 0 of 4 slots busy"


def test_worker_that_fell_silent_is_as_good_as_none(api: Api) -> None:
    add_worker(api.database)
    change(api, t.WorkerRow, seen_at=text(AGO.format("61 seconds")))
    assert check(api, "worker:invoke")["status"] == "fail"


def test_draining_worker_is_a_warning(api: Api) -> None:
    add_worker(api.database)
    change(api, t.WorkerRow, draining_at=NOW)
    assert check(api, "worker:invoke")["status"] == "warn"


def idle_worker_and_waiting_job(api: Api, kind: JobKind = JobKind.FORGE) -> None:
    """Adds a worker that has taken no job for a minute, and a job that has waited for the same time."""
    add_worker(api.database, JobClass.DEPLOY)
    change(api, t.WorkerRow, started_at=text(AGO.format("1 minute")))
    with api.database.transaction() as tx:
        shared.add_job(tx, kind)
    change(api, t.JobRow, created_at=text(AGO.format("1 minute")), run_after=text(AGO.format("1 minute")))


def test_worker_that_leaves_ready_work_is_sick(api: Api) -> None:
    idle_worker_and_waiting_job(api)
    told = check(api, "worker:deploy")
    assert (told["status"], "claims nothing" in told["message"]) == ("fail", True)


def test_busy_worker_is_never_sick(api: Api) -> None:
    idle_worker_and_waiting_job(api)
    change(api, t.WorkerRow, busy=4)
    assert check(api, "worker:deploy")["status"] == "ok"


def test_worker_is_not_blamed_for_work_that_must_wait_its_turn(api: Api) -> None:
    idle_worker_and_waiting_job(api)
    shared.claim(api.database)
    with api.database.transaction() as tx:
        shared.add_job(tx)
    change(api, t.JobRow, created_at=text(AGO.format("1 minute")), run_after=text(AGO.format("1 minute")))
    change(api, t.WorkerRow, last_claim_at=text(AGO.format("1 minute")))
    assert check(api, "worker:deploy")["status"] == "ok"


@pytest.mark.parametrize(
    ("ago", "lag", "status"), [("1 second", 0, "ok"), ("16 seconds", 0, "fail"), ("1 second", 9, "warn")]
)
def test_beat_is_judged_by_when_it_spoke_and_how_late_it_is(api: Api, ago: str, lag: float, status: str) -> None:
    with api.database.transaction() as tx:
        workers.beat(tx, "beat", lag)
    change(api, t.BeatRow, seen_at=text(AGO.format(ago)))
    assert check(api, "beat")["status"] == status


def test_dead_engine_is_told_in_the_workers_words(api: Api) -> None:
    with api.database.transaction() as tx:
        workers.say(tx, Presence("deploy@x", JobClass.DEPLOY, "x", 1, 2, None, "no such socket"))
    told = check(api, "engine")
    assert (told["status"], "no such socket" in told["message"]) == ("fail", True)


def ended_look(api: Api, state: JobState) -> int:
    """Adds an observation of the home engine that ended in this state; returns its job."""
    with api.database.transaction() as tx:
        job = shared.add_job(tx, JobKind.OBSERVE, "", engine="home")
        tx.execute(update(t.JobRow).where(t.JobRow.id == job).values(state=state, ended_at=NOW))
    return job


def test_failed_look_is_told_until_one_succeeds(api: Api) -> None:
    ended_look(api, JobState.SUCCEEDED)
    job = ended_look(api, JobState.FAILED)
    told = check(api, "look")
    assert (told["status"], told["hint"]) == ("fail", f"norn jobs show {job}")
    ended_look(api, JobState.SUCCEEDED)
    names = [one["name"] for one in api.anonymous().get("/api/health").json["checks"]]
    assert "look" not in names


def test_look_that_failed_with_the_engine_is_not_another_trouble(api: Api) -> None:
    job, error = ended_look(api, JobState.ERROR), {"code": "engine_down", "sentence": "no engine", "hint": ""}
    with api.database.transaction() as tx:
        tx.execute(update(t.JobRow).where(t.JobRow.id == job).values(error=error))
        workers.say(tx, Presence("deploy@x", JobClass.DEPLOY, "x", 1, 2, None, "no such socket"))
    names = [one["name"] for one in api.anonymous().get("/api/health").json["checks"]]
    assert ("engine" in names, "look" in names) == (True, False)


def test_port_that_the_router_cannot_have_is_told(api: Api) -> None:
    with api.database.transaction() as tx:
        routes.reserve_address(tx, "hello", 18800, 18810)
        routes.mark_listening(tx, "hello", "address already in use")
    told = check(api, "router")
    assert (told["status"], "18800" in told["message"]) == ("fail", True)


def test_version_tells_the_apis_own(api: Api) -> None:
    assert api.anonymous().get("/api/version").json["api"] == "1"


def test_workers_are_listed_with_their_class(api: Api) -> None:
    add_worker(api.database)
    worker = api.get("/api/workers").json["items"][0]
    assert (worker["name"], worker["class"], worker["slots"]) == ("invoke@test", "invoke", 4)


def test_figures_count_apps_jobs_and_what_waits(api: Api) -> None:
    api.put_spec("hello", HELLO)
    api.post("/api/apps/hello/forge", json={})
    stats = api.get("/api/stats").json
    assert (stats["apps"], stats["jobs"]) == ({"webserver": {"unforged": 1}}, {"deploy": {"queued": 1}})
    assert stats["queues"]["deploy"]["depth"] == 1


def test_a_worker_is_asked_to_leave(connected: Api) -> None:
    add_worker(connected.database)
    answer = connected.post("/api/workers/invoke@test/drain", json={})
    told = (answer.status_code, answer.json["name"], answer.json["draining_at"] is not None)
    assert told == (202, "invoke@test", True)


def test_a_worker_that_is_not_there_is_not_drained(connected: Api) -> None:
    assert connected.post("/api/workers/nobody@test/drain", json={}).status_code == 404


def test_only_an_admin_drains(connected: Api) -> None:
    add_worker(connected.database)
    deployer = connected.asked_as(Scope.DEPLOY)
    assert deployer.post("/api/workers/invoke@test/drain", json={}).status_code == 403


def test_draining_is_audited_and_told(connected: Api) -> None:
    add_worker(connected.database)
    connected.post("/api/workers/invoke@test/drain", json={})
    (deed,) = connected.get("/api/audit").json["items"]
    events = {event["kind"]: event["data"] for event in connected.get("/api/events").json["items"]}
    assert (deed["path"], events["worker.draining"]["actor"]) == ("/api/workers/invoke@test/drain", "admin")
