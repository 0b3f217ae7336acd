"""Alerts and their receivers, as users type and read them."""

from __future__ import annotations

import json

from norn_cli.commands.server import notify
from norn_tasks.domain.alerting.alert import AlertKind
from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, JobScript

ALERT = {
    "id": 7, "kind": "runs-failing", "app": "report", "severity": "warning",
    "sentence": "run 31 of report failed: it exited 3", "hint": "norn cron logs report 31",
    "raised_at": "2026-11-23T10:00:00Z", "resolved_at": None, "resolution": None,
}  # fmt: skip
OPS = {
    "name": "ops", "url": "https://hooks.example/…", "format": "json", "apps": None, "kinds": ["runs-missed"],
    "severity": "critical", "created_by": "ann", "created_at": "2026-11-23T10:00:00Z",
}  # fmt: skip


def test_alerts_tell_what_is_wrong_and_the_way_out(norn, run):
    norn.on("GET", "/api/alerts", shapes.page(ALERT))
    printed = run("alerts").stdout
    assert "run 31 of report failed: it exited 3" in printed
    assert "norn cron logs report 31" in printed
    assert norn.last("GET", "/api/alerts").query == {"limit": "50"}


def test_no_alert_is_said_to_people_only(norn, run):
    norn.on("GET", "/api/alerts", shapes.page())
    assert run("alerts").stderr == "no alert is open\n"
    assert run("alerts", "-o", "json").stderr == ""


def test_alerts_of_one_app_resolved_ones_too(norn, run):
    norn.on("GET", "/api/alerts", shapes.page())
    run("alerts", "report", "--all", "--kind", "runs-missed", "-n", "5")
    assert norn.last("GET", "/api/alerts").query == {"limit": "5", "app": "report", "all": "1", "kind": "runs-missed"}


def test_names_of_alerts_are_their_numbers(norn, run):
    norn.on("GET", "/api/alerts", shapes.page(ALERT))
    assert run("alerts", "-o", "name").stdout == "7\n"


def test_status_points_to_the_apps_that_have_some(norn, run):
    norn.on("GET", "/api/apps", shapes.page({**shapes.cron_app(), "alerts": [ALERT]}, shapes.app()))
    assert run("status").stderr == "2 apps: 1 scheduled, 1 running\nalerts: report (norn alerts)\n"


def test_status_of_an_app_tells_them(norn, run):
    norn.on("GET", "/api/apps/report", {**shapes.cron_app(), "alerts": [ALERT], "recent": []})
    assert "alert     run 31 of report failed: it exited 3" in run("status", "report").stdout


def test_destinations_are_listed_with_what_they_hear_of(norn, run):
    norn.on("GET", "/api/notifications", shapes.page(OPS))
    line = run("notify", "list").stdout.splitlines()[1]
    assert line.split()[:6] == ["ops", "https://hooks.example/…", "json", "all", "runs-missed", "critical"]


def test_adding_prints_the_secret_and_nothing_else_to_stdout(norn, run):
    norn.on("POST", "/api/notifications", Answer({**OPS, "secret": "whsec_x"}, 201))
    result = run("notify", "add", "ops", "https://hooks.example/x", "--only", "report", "--kind", "runs-missed")
    assert result.stdout == "whsec_x\n"
    assert "shown only now" in result.stderr
    assert norn.last("POST", "/api/notifications").json == {
        "name": "ops", "url": "https://hooks.example/x", "apps": ["report"], "kinds": ["runs-missed"],
    }  # fmt: skip


def test_adding_a_receiver_for_people_names_the_format(norn, run):
    mail = {**OPS, "url": "mailto:ops@example.org", "format": "mail", "secret": None}
    norn.on("POST", "/api/notifications", Answer(mail, 201))
    result = run("notify", "add", "ops", "mailto:ops@example.org", "--severity", "critical", "--format", "mail")
    assert (result.stdout, "norn notify test ops" in result.stderr) == ("added   ops\nformat  mail\n", True)
    asked = norn.last("POST", "/api/notifications").json
    assert (asked["severity"], asked["format"]) == ("critical", "mail")


def test_adding_as_json_is_the_servers_answer(norn, run):
    norn.on("POST", "/api/notifications", Answer({**OPS, "secret": "whsec_x"}, 201))
    assert json.loads(run("notify", "add", "ops", "https://h.example/", "-o", "json").stdout)["secret"] == "whsec_x"


def test_a_secret_that_is_not_told_again_is_an_error_with_the_way_out(norn, run):
    norn.on("POST", "/api/notifications", Answer({**OPS, "secret": None}, 201))
    result = run("notify", "add", "ops", "https://h.example/")
    assert (result.exit_code, "norn notify remove ops, then add it again" in result.stderr) == (1, True)


def test_a_try_that_is_not_taken_is_six(norn, run):
    norn.on("POST", "/api/notifications/ops/test", Answer(shapes.accepted(kind="notify", app=""), 202))
    error = {"code": "not_delivered", "sentence": "it answered 500", "hint": "look there"}
    JobScript(norn, shapes.job("running", kind="notify"), shapes.job("failed", kind="notify", error=error))
    result = run("notify", "test", "ops")
    assert (result.exit_code, "it answered 500" in result.stderr) == (6, True)


def test_deliveries_tell_what_became_of_each(norn, run):
    delivery = {"id": 3, "event": "alert.raised", "app": "report", "state": "waiting", "attempts": 2,
                "outcome": "it answered 500", "created_at": "2026-11-23T10:00:00Z", "next_at": None,
                "ended_at": None}  # fmt: skip
    norn.on("GET", "/api/notifications/ops/deliveries", shapes.page(delivery))
    line = run("notify", "deliveries", "ops").stdout.splitlines()[1]
    assert line.split()[:8] == ["3", "alert.raised", "report", "waiting", "2", "it", "answered", "500"]


def test_removing_needs_to_be_confirmed(norn, run):
    norn.on("DELETE", "/api/notifications/ops", Answer(status=204))
    assert run("notify", "remove", "ops").exit_code == 2
    assert run("notify", "remove", "ops", "--confirm", "ops").stdout == "removed  ops\n"


def test_a_receiver_can_be_limited_to_every_kind_of_alert():
    assert set(notify.KINDS) == {str(kind) for kind in AlertKind}
