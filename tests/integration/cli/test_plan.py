"""`norn plan` prints the changes that a deploy would make, and its exit status says whether there are any."""

from __future__ import annotations

import pytest

from tests.integration.cli.server import Answer

CHANGE = {"field": "env.COLOUR", "part": "workload", "before": "blue", "after": "green", "by": "forge"}
BUILD = {"field": "build.test", "part": "source", "before": None, "after": "make test", "by": "deploy"}
SAME = {
    "name": "blog", "changed": False, "makes_release": False, "live_release": 3, "creates": [], "changes": [],
    "blockers": [],
}  # fmt: skip
CHANGED = {**SAME, "changed": True, "makes_release": True, "changes": [CHANGE, BUILD]}


def test_each_change_is_a_line_with_both_values_beneath_its_verb(norn, run):
    norn.on("GET", "/api/apps/blog/plan", Answer(CHANGED))
    assert run("plan", "blog").stdout.splitlines() == [
        "blog has release 3 live",
        "norn forge makes a release of the same image with:",
        "  ~ env.COLOUR: blue -> green",
        "the next deploy changes:",
        "  + build.test: make test",
    ]


def test_an_infraspec_of_a_directory_is_compared_before_it_is_applied(norn, run, tmp_path):
    (tmp_path / "infraspec.yaml").write_text("app: blog\nrole: cron\nschedule: '@daily'\n")
    unset = {"sentence": "the secret KEY is not set", "hint": "norn secrets set blog KEY"}
    made = {"part": "schedule", "what": "schedule @daily (UTC)"}
    plan = {**SAME, "live_release": None, "creates": [made], "changed": True, "blockers": [unset]}
    norn.on("POST", "/api/apps/blog/plan", Answer(plan))
    assert run("plan", f"{tmp_path}/").stdout.splitlines() == [
        "blog is not forged; norn forge makes:",
        "  + schedule @daily (UTC)",
        "blocked: the secret KEY is not set",
        "hint: norn secrets set blog KEY",
    ]
    assert norn.asked[-1].body.startswith(b"app: blog\n")


def test_each_infraspec_of_a_directory_is_compared_or_that_of_one_app(norn, run, tmp_path):
    for name, app in (("infraspec.yaml", "blog"), ("infraspec.jobs.yaml", "jobs")):
        (tmp_path / name).write_text(f"app: {app}\nrole: worker\n")
        norn.on("POST", f"/api/apps/{app}/plan", Answer({**(CHANGED if app == "jobs" else SAME), "name": app}))
    done = run("plan", f"{tmp_path}/", "--detailed-exitcode")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (8, "blog has release 3 live; nothing would change")
    assert "jobs has release 3 live" in done.stdout.splitlines()
    assert run("plan", f"{tmp_path}/", "--app", "jobs", "-o", "name").stdout == "jobs\n"


@pytest.mark.parametrize(("plan", "detailed", "code"), [(CHANGED, True, 8), (SAME, True, 0), (CHANGED, False, 0)])
def test_the_exit_status_says_on_request_whether_anything_would_change(norn, run, plan, detailed, code):
    norn.on("GET", "/api/apps/blog/plan", Answer(plan))
    assert run("plan", "blog", *(["--detailed-exitcode"] if detailed else [])).exit_code == code
