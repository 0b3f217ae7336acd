"""Schedules: listed, run, paused and changed."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, JobScript, problem

CRON = "/api/apps/report/cron"


@pytest.fixture
def running(norn):
    """A run that the server accepts and that succeeds."""
    norn.on("POST", f"{CRON}/trigger", Answer(shapes.accepted(kind="cron-run", app="report", execution=31), 202))
    norn.on("GET", f"{CRON}/executions/31", shapes.run())
    ended = shapes.job("succeeded", shapes.step(1, "run-container"), kind="cron-run", app="report", execution=31)
    return JobScript(norn, shapes.job("running", kind="cron-run", app="report"), ended)


def mark(verdict: str = "fired", state: str | None = "succeeded", how_many: int = 1) -> dict:
    """Returns an occurrence as the bar of a schedule shows it."""
    return {"scheduled_for": "2026-11-23T08:00:00Z", "how_many": how_many, "verdict": verdict, "state": state,
            "execution": None}  # fmt: skip


def test_list_tells_when_it_is_due_next_and_what_became_of_the_last_thirty(norn, run):
    last = [
        mark("skipped_paused", None, 100), mark("missed", None, 3), mark("caught_up"), mark("skipped_overlap", None),
        mark("failed_to_start", "error"), mark("fired", "failed"), mark("fired", "oom_killed"),
        mark("fired", "cancelled"), mark(), mark("fired", "running"),
    ]  # fmt: skip
    norn.on("GET", "/api/cron", shapes.page(shapes.scheduled("report", last)))
    result = run("cron", "list")
    assert "report  0 9 * * *  scheduled  2026-11-24 09:00:00 Europe/Berlin" in result.stdout
    assert result.stdout.rstrip().endswith(" " + "p" * 19 + "mmm.o!xx-.>")
    assert "x failed" in result.stderr


def test_names_of_the_list_are_apps(norn, run):
    norn.on("GET", "/api/cron", shapes.page(shapes.scheduled("report", [])))
    assert run("cron", "list", "-o", "name").stdout == "report\n"


COMING = {
    "text": "30 2 * * *", "words": "at 02:30 every day", "timezone": "Europe/Berlin", "items": [
        {"at": "2026-10-25T00:30:00Z", "local": "2026-10-25 02:30:00", "offset": "+02:00", "note": "twice that night"},
        {"at": "2026-10-26T01:30:00Z", "local": "2026-10-26 02:30:00", "offset": "+01:00", "note": ""},
    ],
}  # fmt: skip


def test_next_times_have_the_offset_of_their_zone_and_a_word_about_the_clocks(norn, run):
    norn.on("GET", f"{CRON}/next", COMING)
    printed = run("cron", "next", "report", "-n", "2", "--around", "2026-10-25").stdout
    assert "schedule  30 2 * * * Europe/Berlin\nthat is   at 02:30 every day\n" in printed
    assert re.search(r"2026-10-25 02:30:00 +\+02:00 .* twice that night\n2026-10-26 02:30:00 +\+01:00", printed)
    assert norn.last("GET", f"{CRON}/next").query == {"n": "2", "around": "2026-10-25"}


def test_names_of_next_times_are_moments(norn, run):
    norn.on("GET", f"{CRON}/next", COMING)
    assert run("cron", "next", "report", "-o", "name").stdout == "2026-10-25T00:30:00Z\n2026-10-26T01:30:00Z\n"


def test_preview_changes_nothing(norn, run):
    norn.on("GET", f"{CRON}/next", COMING)
    printed = run("cron", "set-schedule", "report", "30 2 * * *", "--timezone", "Europe/Berlin", "--preview").stdout
    assert "2026-10-26 02:30:00" in printed
    assert norn.last("GET", f"{CRON}/next").query == {
        "n": "5", "schedule": "30 2 * * *", "timezone": "Europe/Berlin",
    }  # fmt: skip
    assert [asked.method for asked in norn.asked] == ["GET"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["report", "--clear", "--preview"], "--preview needs a schedule to show, and --clear does not name one"),
        (["report"], "which schedule? report was taken for the app"),
        (["report", "@daily", "--around", "2026-10-25"], "--around belongs to --preview"),
    ],
)
def test_a_change_without_its_schedule_is_usage(run, words, sentence):
    result = run("cron", "set-schedule", *words)
    assert (result.exit_code, sentence in result.stderr) == (2, True)


def test_the_zone_alone_keeps_the_schedule(norn, run):
    norn.on("GET", CRON, shapes.schedule())
    norn.on("PUT", f"{CRON}/schedule", shapes.schedule())
    run("cron", "set-schedule", "report", "--timezone", "Asia/Tokyo")
    assert norn.last("PUT", f"{CRON}/schedule").json == {"schedule": "0 9 * * *", "timezone": "Asia/Tokyo"}


def test_preview_looks_around_a_night_and_shows_the_next_odd_one(norn, run):
    odd = {"at": "2027-03-28T01:00:00Z", "local": "2027-03-28 03:00:00", "offset": "+02:00", "note": "not that night"}
    norn.on("GET", f"{CRON}/next", {**COMING, "next_odd_night": [odd]})
    printed = run("cron", "set-schedule", "report", "30 2 * * *", "--preview", "--around", "2026-10-25").stdout
    assert norn.last("GET", f"{CRON}/next").query == {"n": "5", "schedule": "30 2 * * *", "around": "2026-10-25"}
    assert re.search(r"2027-03-28 03:00:00 +\+02:00 .* not that night", printed)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"state": "paused", "paused": {"by": "ann", "at": "2026-11-23T10:00:00Z", "reason": "holidays"}},
         r"paused +by ann .*: holidays; it would run:"),
        ({"state": "waiting for its first deploy", "paused": None}, "waiting for its first deploy; it would run:"),
    ],
)  # fmt: skip
def test_next_times_of_a_schedule_that_does_not_run_say_so(norn, run, more, said):
    norn.on("GET", f"{CRON}/next", {**COMING, **more})
    assert re.search(said, run("cron", "next", "report").stdout)


def test_list_takes_an_app(norn, run):
    norn.on("GET", "/api/cron", shapes.page(shapes.scheduled("report", []), shapes.scheduled("sync", [])))
    assert run("cron", "list", "sync", "-o", "name").stdout == "sync\n"
    assert "nosuch has no schedule" in run("cron", "list", "nosuch").stderr


def test_logs_do_not_lead_to_themselves(norn, run):
    norn.on("GET", CRON, shapes.schedule(last=[{"id": 31}]))
    failed = shapes.run(state="failed", app="report", hint="norn cron logs report 31 has its output")
    norn.on("GET", f"{CRON}/executions/31", failed)
    assert "norn cron logs" not in run("cron", "logs", "report").stdout


def test_run_waits_and_prints_the_run_with_its_output(running, run):
    result = run("cron", "run", "report")
    assert "exit code  0" in result.stdout
    assert "stdout:\n  sold 3\n" in result.stdout
    assert result.stderr == "✔ run-container 1.5 s\n"


def test_run_as_json_is_the_run(running, run):
    assert json.loads(run("cron", "run", "report", "-o", "json").stdout) == shapes.run()


def test_a_run_that_failed_is_six(norn, running, run):
    norn.on("GET", f"{CRON}/executions/31", shapes.run(state="failed", exit_code=3, sentence="it exited 3"))
    result = run("cron", "run", "report")
    assert result.exit_code == 6
    assert "error: execution 31 failed: it exited 3" in result.stderr


def test_a_run_beside_another_is_a_conflict(norn, run):
    norn.on(
        "POST", f"{CRON}/trigger", problem(409, "already_running", "report is running", "norn cron run report --force")
    )
    assert run("cron", "run", "report").exit_code == 5


def test_force_and_detach(norn, running, run):
    assert run("cron", "run", "report", "--force", "--detach").stdout == "7\n"
    assert norn.last("POST", f"{CRON}/trigger").json == {"force": True}


def test_run_carries_a_command_and_variables(norn, running, run):
    run("cron", "run", "report", "--command", "echo $A", "-e", "A=1", "--env", "B=x=y", "--detach")
    asked = {"force": False, "command": "echo $A", "env": {"A": "1", "B": "x=y"}}
    assert norn.last("POST", f"{CRON}/trigger").json == asked


def test_a_variable_without_a_value_is_usage(norn, run):
    assert run("cron", "run", "report", "--env", "A").exit_code == 2


def test_pause_carries_the_reason(norn, run):
    norn.on(
        "POST",
        f"{CRON}/pause",
        shapes.schedule(state="paused", paused={"by": "ann", "at": "2026-11-23T10:00:00Z", "reason": "holidays"}),
    )
    assert re.search(r"paused +by ann .*: holidays", run("cron", "pause", "report", "--reason", "holidays").stdout)
    assert norn.last("POST", f"{CRON}/pause").json == {"reason": "holidays"}


def test_resume(norn, run):
    norn.on("POST", f"{CRON}/resume", shapes.schedule())
    assert "scheduled" in run("cron", "resume", "report").stdout


@pytest.mark.parametrize("words", [["report", "*/5 * * * *"], ["--app", "report", "*/5 * * * *"]])
def test_set_schedule(norn, run, words):
    norn.on("PUT", f"{CRON}/schedule", shapes.schedule(text="*/5 * * * *"))
    printed = run("cron", "set-schedule", *words, "--timezone", "Europe/Berlin").stdout
    assert norn.last("PUT", f"{CRON}/schedule").json == {"schedule": "*/5 * * * *", "timezone": "Europe/Berlin"}
    assert "*/5 * * * * Europe/Berlin" in printed


def test_clear_takes_the_override_away(norn, run):
    norn.on("DELETE", f"{CRON}/schedule", shapes.schedule())
    assert "0 9 * * * Europe/Berlin" in run("cron", "set-schedule", "report", "--clear").stdout


def test_a_schedule_without_quotes_is_usage(norn, run):
    result = run("cron", "set-schedule", "report", "*/5", "*", "*", "*", "*")
    assert result.exit_code == 2
    assert "put it in quotes" in result.stderr


def test_a_bad_schedule_is_told_as_the_server_tells_it(norn, run):
    norn.on(
        "PUT", f"{CRON}/schedule", problem(422, "invalid_request", "schedule: minute 61 is not 0-59", "five fields")
    )
    result = run("cron", "set-schedule", "report", "61 * * * *")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: schedule: minute 61 is not 0-59 [invalid_request]\nhint: five fields\n",
    )


def test_a_change_tells_when_the_schedule_is_due_next(norn, run):
    norn.on("PUT", f"{CRON}/schedule", shapes.schedule(text="*/5 * * * *"))
    printed = run("cron", "set-schedule", "report", "*/5 * * * *").stdout
    assert re.search(r"next runs +2026-11-24 09:00:00 Europe/Berlin .*\n +2026-11-25 09:00:00", printed)


def test_history_of_one_verdict(norn, run):
    norn.on("GET", f"{CRON}/history", shapes.page())
    norn.on("GET", CRON, shapes.schedule())
    run("cron", "history", "report", "--verdict", "missed")
    assert norn.last("GET", f"{CRON}/history").query == {"limit": "20", "verdict": "missed"}


def test_history_tells_why_a_run_failed(norn, run):
    tick = {"id": 1, "scheduled_for": "2026-11-23T08:00:00Z", "until": None, "how_many": 1, "verdict": "fired",
            "trigger": "schedule", "reason": "", "execution": 31, "job": 7, "state": "failed", "exit_code": 3,
            "duration_ms": 1500, "attempt": 3, "begun_at": "2026-11-23T08:00:02Z", "sentence": "it exited 3",
            "first_error_line": "no such table"}  # fmt: skip
    norn.on("GET", f"{CRON}/history", shapes.page(tick))
    norn.on("GET", CRON, shapes.schedule())
    line = run("cron", "history", "report").stdout.splitlines()[1]
    assert line.split() == ["2026-11-23", "09:00:00", "Europe/Berlin", "fired", "failed", "3", "09:00:02", "1.5",
                            "s", "31", "3", "it", "exited", "3:", "no", "such", "table"]  # fmt: skip


def test_history_tells_ranges_with_their_number(norn, run):
    tick = {"id": 1, "scheduled_for": "2026-11-23T08:00:00Z", "until": "2026-11-23T09:00:00Z", "how_many": 60,
            "verdict": "missed", "trigger": None, "reason": "no beat ran", "execution": None, "job": None,
            "state": None, "exit_code": None, "duration_ms": None}  # fmt: skip
    norn.on("GET", f"{CRON}/history", shapes.page(tick))
    norn.on("GET", CRON, shapes.schedule())
    printed = run("cron", "history", "report").stdout
    assert "2026-11-23 09:00:00 to 10:00:00 Europe/Berlin  missed ×60" in printed
    assert "no beat ran" in printed


def test_history_tells_a_run_by_hand_in_the_column_of_verdicts(norn, run):
    by_hand = {"id": None, "scheduled_for": "2026-11-23T08:00:00Z", "until": None, "how_many": 1, "verdict": None,
               "trigger": "manual", "reason": "by ann", "execution": 31, "job": 7, "state": "succeeded",
               "exit_code": 0, "duration_ms": 1500}  # fmt: skip
    norn.on("GET", f"{CRON}/history", shapes.page(by_hand))
    norn.on("GET", CRON, shapes.schedule())
    line = run("cron", "history", "report").stdout.splitlines()[1]
    assert line.split()[3:] == ["manual", "succeeded", "0", "1.5", "s", "31", "by", "ann"]


def test_names_of_a_history_are_its_moments(norn, run):
    norn.on("GET", f"{CRON}/history", shapes.page({"id": None, "scheduled_for": "2026-11-23T08:00:00Z"}))
    assert run("cron", "history", "report", "-o", "name").stdout == "2026-11-23T08:00:00Z\n"


def test_logs_are_those_of_the_last_run(norn, run):
    norn.on("GET", CRON, shapes.schedule(last=[{"id": 31}, {"id": 30}]))
    norn.on("GET", f"{CRON}/executions/31", shapes.run(stdout_dropped=9))
    printed = run("cron", "logs", "report").stdout
    assert "stdout: (9 bytes dropped)\n  sold 3\n" in printed


def test_logs_of_one_run(norn, run):
    norn.on("GET", f"{CRON}/executions/30", shapes.run(id=30))
    assert run("cron", "logs", "30", "--app", "report", "-o", "name").stdout == "30\n"


def test_follow_waits_for_the_end_of_a_run(norn, run):
    states = iter([shapes.run(state="running", exit_code=None), shapes.run()])
    norn.on("GET", f"{CRON}/executions/31", lambda _: Answer(next(states)))
    ended = shapes.job("succeeded", shapes.step(1, "run-container"), kind="cron-run", app="report", execution=31)
    JobScript(norn, shapes.job("running", kind="cron-run", app="report"), ended)
    printed = run("cron", "logs", "report", "31", "-f").stdout
    assert "state      succeeded" in printed
    assert "stdout:\n  sold 3\n" in printed
