"""Schedules through the API: shown, predicted, run now, paused, overridden."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store import tables as t
from tests import factories as shared
from tests.integration.api.factories import Api, add_cron_run

CRON = "/api/apps/tick/cron"


@pytest.fixture
def tick(api: Api) -> Api:
    """An application with a live cron app `tick`, every day at nine."""
    shared.add_live(api.database, "tick", "cron")
    return api


def test_schedule_is_told_with_its_next_three_occurrences(tick: Api) -> None:
    answer = tick.get(CRON).json
    assert [moment[11:] for moment in answer["next"]] == ["09:00:00Z"] * 3
    assert answer["schedule"]["next"] == answer["next"][0]


def test_next_occurrences_can_be_asked_from_a_moment(tick: Api) -> None:
    answer = tick.get(f"{CRON}/next?n=2&around=2026-12-31T08:00:00%2B01:00").json
    assert [one["at"] for one in answer["items"]] == ["2026-12-31T09:00:00Z", "2027-01-01T09:00:00Z"]


def test_moment_without_a_zone_is_meant_in_the_schedules(tick: Api) -> None:
    tick.ask("PUT", f"{CRON}/schedule", json={"schedule": "30 2 * * *", "timezone": "Europe/Berlin"})
    (night,) = tick.get(f"{CRON}/next?n=1&around=2026-10-25").json["items"]
    assert (night["at"], night["local"], night["offset"]) == (
        "2026-10-25T00:30:00Z", "2026-10-25 02:30:00", "+02:00",
    )  # fmt: skip
    assert night["note"] == "the clock shows 02:30 twice that night: the schedule is due once, the first time"


def test_another_schedule_can_be_tried_without_a_change(tick: Api) -> None:
    tried = tick.get(f"{CRON}/next?n=1&around=2026-01-01&schedule=0+12+*+*+*&timezone=Asia/Tokyo").json
    assert (tried["text"], tried["items"][0]["at"]) == ("0 12 * * *", "2026-01-01T03:00:00Z")
    assert tick.get(CRON).json["schedule"]["text"] == "0 9 * * *"


def test_another_schedule_is_tried_in_the_zone_in_which_it_would_be_set(tick: Api) -> None:
    """An override without a zone is read in the infraspec's zone, whatever an earlier override said."""
    tick.ask("PUT", f"{CRON}/schedule", json={"schedule": "0 9 * * *", "timezone": "Asia/Tokyo"})
    tried = tick.get(f"{CRON}/next?n=1&around=2026-01-01&schedule=0+12+*+*+*").json
    told = tick.ask("PUT", f"{CRON}/schedule", json={"schedule": "0 12 * * *"}).json["schedule"]
    assert (tried["timezone"], tried["items"][0]["at"], told["timezone"]) == ("UTC", "2026-01-01T12:00:00Z", "UTC")


@pytest.mark.parametrize("asked", ["schedule=61+*+*+*+*", "schedule=@daily&timezone=Mars/Base", "timezone=Mars/Base"])
def test_schedule_that_cannot_be_tried_is_refused(tick: Api, asked: str) -> None:
    assert tick.get(f"{CRON}/next?{asked}").status_code == 422


@pytest.mark.parametrize("around", ["1000-01-01T00:00:00Z", "9999-12-31T23:00:00Z", "soon"])
def test_moment_that_cannot_be_counted_from_is_refused(tick: Api, around: str) -> None:
    assert tick.get(f"{CRON}/next?around={around}").status_code == 422


def test_a_word_that_is_no_moment_leads_to_the_forms_of_one(tick: Api) -> None:
    refused = tick.get(f"{CRON}/next?around=tomorrow").json
    assert refused["hint"] == "write 2026-10-25, or 2026-10-25T01:00 in the schedule's zone"


def test_a_date_begins_with_its_midnight(tick: Api) -> None:
    (first,) = tick.get(f"{CRON}/next?n=1&around=2027-01-01&schedule=@daily&timezone=Europe/Berlin").json["items"]
    assert first["local"] == "2027-01-01 00:00:00"


def test_a_preview_shows_the_next_night_that_a_clock_change_moves(tick: Api) -> None:
    asked = f"{CRON}/next?n=2&around=2026-06-01&schedule=15,45+2+*+*+*&timezone=Europe/Berlin"
    night = tick.get(asked).json["next_odd_night"]
    assert [each["local"] for each in night] == ["2026-10-25 02:15:00", "2026-10-25 02:45:00"]
    assert tick.get(asked.replace("2026-06-01", "2026-03-29")).json["next_odd_night"] == []


def test_next_times_say_that_the_schedule_is_paused(tick: Api) -> None:
    tick.post(f"{CRON}/pause", json={"reason": "the server moves"})
    told = tick.get(f"{CRON}/next").json
    assert (told["state"], told["paused"]["reason"]) == ("paused", "the server moves")


def test_an_empty_schedule_is_no_preview_of_the_present_one(tick: Api) -> None:
    assert tick.get(f"{CRON}/next?schedule=").status_code == 422


def test_a_second_pause_for_another_reason_is_refused(tick: Api) -> None:
    tick.post(f"{CRON}/pause", json={"reason": "the server moves"})
    refused = tick.post(f"{CRON}/pause", json={"reason": "audit"})
    assert (refused.status_code, tick.post(f"{CRON}/pause", json={}).status_code) == (409, 200)
    assert refused.json["detail"].endswith("UTC, by admin, for: the server moves")


def test_last_runs_are_told_newest_first(tick: Api) -> None:
    for number in range(1, 8):
        add_cron_run(tick.database, "tick", id=number)
    assert [run["id"] for run in tick.get(CRON).json["last"]] == [7, 6, 5, 4, 3]


def test_run_is_told_with_its_output(tick: Api) -> None:
    add_cron_run(tick.database, "tick", id=5, stdout="rows: 3\n", stderr_dropped=9)
    run = tick.get(f"{CRON}/executions/5").json
    assert (run["kind"], run["stdout"], run["stderr_dropped"]) == ("cron", "rows: 3\n", 9)


def test_run_of_another_app_is_not_found_here(tick: Api) -> None:
    add_cron_run(tick.database, "other", id=5)
    assert tick.get(f"{CRON}/executions/5").status_code == 404


def test_history_tells_ranges_and_verdicts_latest_first(tick: Api) -> None:
    with tick.database.transaction() as tx:
        for day, verdict in (("01", "missed"), ("03", "fired")):
            tx.execute(insert(t.CronTickRow).values(
                app="tick", scheduled_for=text(f"timestamptz '2026-11-{day} 09:00Z'"), verdict=verdict,
                how_many=2 if verdict == "missed" else 1, decided_by="beat"))  # fmt: skip
    ticks = tick.get(f"{CRON}/history").json["items"]
    assert [(one["verdict"], one["how_many"]) for one in ticks] == [("fired", 1), ("missed", 2)]


def test_history_comes_in_parts(tick: Api) -> None:
    with tick.database.transaction() as tx:
        for day in ("01", "02", "03"):
            tx.execute(insert(t.CronTickRow).values(
                app="tick", scheduled_for=text(f"timestamptz '2026-11-{day} 09:00Z'"), verdict="fired",
                decided_by="beat"))  # fmt: skip
    first = tick.get(f"{CRON}/history?limit=2").json
    rest = tick.get(f"{CRON}/history?limit=2&after={first['next']}").json
    assert [one["scheduled_for"][8:10] for one in first["items"] + rest["items"]] == ["03", "02", "01"]


@pytest.fixture
def mixed(tick: Api) -> Api:
    """The same app with three entries in this order: an occurrence that started run 1, a manual run, and an occurrence
    that started run 3.
    """
    for number, trigger, moment in ((1, "schedule", "09:00:01"), (2, "manual", "11:00"), (3, "schedule", "13:00:01")):
        created = text(f"timestamptz '2026-11-01 {moment}Z'")
        add_cron_run(tick.database, "tick", id=number, trigger=trigger, created_at=created, actor="ann")
    with tick.database.transaction() as tx:
        for hour, execution in (("09", 1), ("13", 3)):
            tx.execute(insert(t.CronTickRow).values(
                app="tick", scheduled_for=text(f"timestamptz '2026-11-01 {hour}:00Z'"), verdict="fired",
                execution=execution, decided_by="beat"))  # fmt: skip
    return tick


def test_history_has_runs_by_hand_between_the_occurrences(mixed: Api) -> None:
    told = mixed.get(f"{CRON}/history").json["items"]
    assert [(one["verdict"], one["trigger"], one["execution"]) for one in told] == [
        ("fired", "schedule", 3), (None, "manual", 2), ("fired", "schedule", 1),
    ]  # fmt: skip


def test_run_by_hand_is_told_by_its_moment_and_by_whom(mixed: Api) -> None:
    by_hand = mixed.get(f"{CRON}/history").json["items"][1]
    assert (by_hand["id"], by_hand["scheduled_for"], by_hand["reason"]) == (None, "2026-11-01T11:00:00Z", "by ann")
    assert (by_hand["state"], by_hand["exit_code"], by_hand["how_many"]) == ("succeeded", 0, 1)


def test_parts_of_a_history_miss_no_run_by_hand(mixed: Api) -> None:
    add_cron_run(mixed.database, "tick", id=4, created_at=text("timestamptz '2026-11-01 11:00:00.000001Z'"))
    after, seen = "", []
    for _ in range(4):
        part = mixed.get(f"{CRON}/history?limit=1{after}").json
        seen += [one["execution"] for one in part["items"]]
        after = f"&after={part['next']}"
    assert (seen, part["next"]) == ([3, 4, 2, 1], None)


def test_history_of_one_verdict_has_no_runs_by_hand(mixed: Api) -> None:
    told = mixed.get(f"{CRON}/history?verdict=fired").json["items"]
    assert [one["execution"] for one in told] == [3, 1]


def test_history_tells_when_a_run_began_and_what_it_complained_of(tick: Api) -> None:
    moment = text("timestamptz '2026-11-01 09:00:02Z'")
    add_cron_run(tick.database, "tick", id=1, trigger="schedule", state="failed", sentence="it exited 3", attempt=2,
                 begun_at=moment, stderr="\n  no such table\nmore\n")  # fmt: skip
    with tick.database.transaction() as tx:
        tx.execute(insert(t.CronTickRow).values(
            app="tick", scheduled_for=text("timestamptz '2026-11-01 09:00Z'"), verdict="fired", execution=1,
            decided_by="beat"))  # fmt: skip
    (told,) = tick.get(f"{CRON}/history").json["items"]
    assert (told["begun_at"], told["attempt"]) == ("2026-11-01T09:00:02Z", 2)
    assert (told["sentence"], told["first_error_line"]) == ("it exited 3", "no such table")


def test_history_has_no_run_of_another_app(mixed: Api) -> None:
    add_cron_run(mixed.database, "other", id=9)
    assert 9 not in [one["execution"] for one in mixed.get(f"{CRON}/history").json["items"]]


# The list


def add_ticks(api: Api, app: str, count: int, **values: Any) -> None:
    """Adds `count` occurrences, a minute apart."""
    with api.database.transaction() as tx:
        for minute in range(count):
            moment = text(f"timestamptz '2026-11-01 09:00Z' + interval '{minute} min'")
            tx.execute(insert(t.CronTickRow).values(
                {"app": app, "scheduled_for": moment, "verdict": "fired", "decided_by": "beat", **values}))  # fmt: skip


def test_list_has_each_schedule_with_its_last_30_occurrences(tick: Api) -> None:
    shared.add_live(tick.database, "tock", "cron")
    shared.add_live(tick.database, "page", "webserver")
    add_ticks(tick, "tick", 33)
    told = tick.get("/api/cron").json["items"]
    assert [(one["app"], len(one["recent"])) for one in told] == [("tick", 30), ("tock", 0)]
    assert (told[0]["recent"][0]["scheduled_for"], told[0]["recent"][-1]["scheduled_for"]) == (
        "2026-11-01T09:03:00Z", "2026-11-01T09:32:00Z",
    )  # fmt: skip


def test_list_leaves_out_apps_that_say_deploy_false(tick: Api) -> None:
    shared.add_live(tick.database, "tock", "cron", "deploy: false\n")
    assert [one["app"] for one in tick.get("/api/cron").json["items"]] == ["tick"]


def test_list_comes_in_parts(tick: Api) -> None:
    shared.add_live(tick.database, "tock", "cron")
    first = tick.get("/api/cron?limit=1").json
    rest = tick.get(f"/api/cron?limit=1&after={first['next']}").json
    assert ([one["app"] for one in first["items"] + rest["items"]], rest["next"]) == (["tick", "tock"], None)


def test_list_shows_only_apps_that_the_token_reaches(tick: Api) -> None:
    assert tick.asked_as(Scope.READ, apps=("other",)).get("/api/cron").json["items"] == []


def test_sign_of_an_occurrence_leads_to_its_run(tick: Api) -> None:
    add_cron_run(tick.database, "tick", id=5, state="failed")
    add_ticks(tick, "tick", 1, execution=5)
    (sign,) = tick.get(CRON).json["recent"]
    assert (sign["verdict"], sign["state"], sign["execution"]) == ("fired", "failed", 5)


def test_last_run_tells_the_verdict_of_its_occurrence(tick: Api) -> None:
    moment = text("timestamptz '2026-11-01 09:00Z'")
    add_cron_run(tick.database, "tick", id=5, trigger="catchup", scheduled_for=moment)
    add_cron_run(tick.database, "tick", id=6, trigger="manual")
    add_ticks(tick, "tick", 1, execution=5, verdict="caught_up")
    assert [run["verdict"] for run in tick.get(CRON).json["last"]] == [None, "caught_up"]
    assert [run["verdict"] for run in tick.get("/api/apps/tick").json["recent"]] == [None, "caught_up"]


# Run now


def test_run_now_answers_its_execution(tick: Api) -> None:
    answer = tick.post(f"{CRON}/trigger", json={})
    run = tick.get(f"{CRON}/executions/{answer.json['execution']}").json
    assert (answer.status_code, run["state"], run["trigger"]) == (202, "pending", "manual")


def test_second_run_is_refused_unless_forced(tick: Api) -> None:
    tick.post(f"{CRON}/trigger", json={})
    answers = [tick.post(f"{CRON}/trigger", json={"force": force}) for force in (False, True)]
    assert [answer.status_code for answer in answers] == [409, 202]


def test_refusal_names_the_run_that_is_in_the_way(tick: Api) -> None:
    execution = tick.post(f"{CRON}/trigger", json={}).json["execution"]
    answer = tick.post(f"{CRON}/trigger", json={}).json
    assert (answer["code"], answer["execution"]) == ("already_running", execution)


def test_run_now_takes_a_command_and_variables_of_its_own(tick: Api) -> None:
    tick.post(f"{CRON}/trigger", json={"command": "echo $MONTH", "env": {"MONTH": "10"}})
    job = shared.claim(tick.database, job_class=JobClass.CRON)
    assert job.spec is not None
    assert (job.spec.argv(), job.spec.env) == (["sh", "-c", "echo $MONTH"], {"MONTH": "10"})
    with tick.database.transaction() as tx:
        assert (tx.scalar(select(t.ReleaseRow.spec)) or {})["env"] == {}


def test_run_now_refuses_a_variable_that_is_norns(tick: Api) -> None:
    answer = tick.post(f"{CRON}/trigger", json={"env": {"NORN_ATTEMPT": "7"}})
    assert (answer.status_code, "reserved" in answer.json["detail"]) == (422, True)


def test_run_now_refuses_what_no_infraspec_may_say(tick: Api) -> None:
    answer = tick.post(f"{CRON}/trigger", json={"env": {"KEY": "a\rb"}})
    assert (answer.status_code, answer.json["code"]) == (422, "spec_invalid")


def test_app_that_was_never_deployed_does_not_run(api: Api) -> None:
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("tick", "cron"))
    answer = api.post(f"{CRON}/trigger", json={})
    assert (answer.status_code, answer.json["code"]) == (409, "not_deployed")


# Pause, resume, override


def test_pause_is_told_with_who_when_and_why(tick: Api) -> None:
    tick.post(f"{CRON}/pause", json={"reason": "the server moves"})
    schedule = tick.get(CRON).json["schedule"]
    assert (schedule["state"], schedule["next"]) == ("paused", None)
    assert (schedule["paused"]["by"], schedule["paused"]["reason"]) == ("admin", "the server moves")


def test_resume_ends_a_pause(tick: Api) -> None:
    tick.post(f"{CRON}/pause", json={})
    assert tick.post(f"{CRON}/resume", json={}).json["schedule"]["state"] == "scheduled"


def test_override_wins_until_it_is_cleared(tick: Api) -> None:
    tick.ask("PUT", f"{CRON}/schedule", json={"schedule": "*/5 * * * *"})
    told = tick.get(CRON).json["schedule"]
    cleared = tick.ask("DELETE", f"{CRON}/schedule").json["schedule"]
    assert (told["text"], told["override"]["by"], cleared["text"], cleared["override"]) == (
        "*/5 * * * *", "admin", "0 9 * * *", None,
    )  # fmt: skip


def test_override_may_have_a_zone_of_its_own(tick: Api) -> None:
    answer = tick.ask("PUT", f"{CRON}/schedule", json={"schedule": "0 9 * * *", "timezone": "Asia/Tokyo"})
    assert (answer.json["schedule"]["timezone"], answer.json["next"][0][11:]) == ("Asia/Tokyo", "00:00:00Z")


@pytest.mark.parametrize("body", [{"schedule": "61 * * * *"}, {"schedule": "@daily", "timezone": "Mars/Base"}])
def test_schedule_that_cannot_be_read_is_refused(tick: Api, body: dict[str, str]) -> None:
    assert tick.ask("PUT", f"{CRON}/schedule", json=body).status_code == 422


def test_schedule_that_is_off_says_so(tick: Api) -> None:
    shared.add_live(tick.database, "tock", "cron", "deploy: false\n")
    schedule = tick.get("/api/apps/tock/cron").json["schedule"]
    assert (schedule["state"], schedule["next"]) == ("off: its infraspec says deploy: false", None)
    assert tick.get("/api/apps/tock").json["state"] == "off"


def test_schedule_that_means_nothing_any_more_says_so(tick: Api) -> None:
    with tick.database.transaction() as tx:
        tx.execute(update(t.CronStateRow).values(timezone="Mars/Base"))
    told = tick.get(CRON)
    assert (told.status_code, told.json["schedule"]["state"], told.json["schedule"]["next"], told.json["next"]) == (
        200, "cannot be read", None, [],
    )  # fmt: skip
    assert tick.get("/api/cron").json["items"][0]["schedule"]["state"] == "cannot be read"


def test_repeated_key_changes_nothing_again(tick: Api) -> None:
    key = {"Idempotency-Key": "one"}
    tick.post(f"{CRON}/pause", json={}, headers=key)
    tick.post(f"{CRON}/resume", json={})
    again = tick.post(f"{CRON}/pause", json={}, headers=key)
    assert (again.status_code, again.json["schedule"]["state"]) == (200, "scheduled")


@pytest.mark.parametrize("verb", ["trigger", "pause", "resume"])
def test_webserver_has_no_schedule(api: Api, verb: str) -> None:
    shared.add_live(api.database, "tick", "webserver")
    answer = api.post(f"{CRON}/{verb}", json={})
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_role")
