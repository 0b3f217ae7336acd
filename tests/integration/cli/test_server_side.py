"""Commands about the server itself: health, workers, tokens, versions, and the contexts that name servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer

OK = {"name": "database", "status": "ok", "message": "PostgreSQL 15", "hint": ""}
BAD = {"name": "worker:deploy", "status": "fail", "message": "none seen for 2 min", "hint": "norn up"}
TOKENS = shapes.page(
    {"id": 3, "name": "laptop", "scopes": ["read"], "apps": None, "created_at": "2026-11-23T10:00:00Z"}
)


def test_a_healthy_server_is_zero(norn, run):
    norn.on("GET", "/api/health", {"status": "ok", "checks": [OK], "version": "0.1.0"})
    result = run("health")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["database", "ok", "PostgreSQL", "15"]


def test_a_failing_part_is_one_with_its_hint(norn, run):
    norn.on("GET", "/api/health", {"status": "degraded", "checks": [OK, BAD], "version": "0.1.0"})
    result = run("health")
    assert result.exit_code == 1
    assert result.stderr == "error: the server is degraded: worker:deploy\nhint: norn up\n"


def test_a_server_that_is_down_still_tells_its_checks(norn, run):
    norn.on(
        "GET", "/api/health", Answer({"status": "down", "checks": [{**OK, "status": "fail"}], "version": "0.1.0"}, 503)
    )
    result = run("health", "-o", "json")
    assert json.loads(result.stdout)["status"] == "down"
    assert result.exit_code == 1


def test_doctor_says_what_helps(norn, run):
    norn.on("GET", "/api/doctor", {"status": "degraded", "checks": [BAD], "version": "0.1.0"})
    result = run("doctor")
    assert (result.stdout.splitlines()[1].endswith("norn up"), result.exit_code) == (True, 1)


def test_doctor_tells_of_a_server_that_is_away(run):
    result = run("--url", "http://127.0.0.1:1", "doctor", "-o", "json")
    told = json.loads(result.stdout)
    assert (told["status"], told["checks"][0]["name"], result.exit_code) == ("down", "server", 1)


def test_workers_are_listed(norn, run):
    worker = {"name": "deploy@here", "class": "deploy", "slots": 2, "busy": 1, "seen_at": None, "started_at": None}
    norn.on("GET", "/api/workers", shapes.page({**worker, "engine_error": "the engine does not answer"}))
    assert run("worker", "list").stdout.splitlines()[1].split()[:3] == ["deploy@here", "deploy", "1/2"]


def test_the_page_opens_by_a_code_in_the_fragment(norn, run):
    norn.on("POST", "/api/session/codes", {"code": "abc"})
    result = run("ui")
    assert result.stdout == f"{norn.url}/#code=abc\n"


def test_the_page_of_a_server_without_tokens_needs_no_code(norn, run):
    norn.on("POST", "/api/session/codes", {"code": None})
    assert run("ui").stdout == f"{norn.url}/\n"


def test_no_argument_of_the_browser_holds_the_code(environ, home):
    seen, browser = home / "seen", home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" >{seen}\n')
    browser.chmod(0o700)
    opened = "from norn_cli import launch; launch.browse('http://h:8800/#code=abc', secret=True)"
    desktop = {**os.environ, **environ, "DISPLAY": ":0", "BROWSER": f"{browser} %s"}
    subprocess.run([sys.executable, "-c", opened], env=desktop, check=True, timeout=60)
    page = home / "config" / "norn" / "ui.html"
    assert (seen.read_text(), page.stat().st_mode & 0o777) == (f"{page.as_uri()}\n", 0o600)
    assert 'content="0;url=http://h:8800/#code=abc"' in page.read_text()


def test_browsers_are_listed_and_signed_out(norn, run):
    seen = {"id": 7, "token": "ci", "created_at": None, "expires_at": None, "last_used_at": None, "agent": "Firefox",
            "address": "127.0.0.1", "current": False}  # fmt: skip
    norn.on("GET", "/api/sessions", shapes.page(seen))
    norn.on("DELETE", "/api/sessions/7", Answer({}, 204))
    assert run("session", "list").stdout.splitlines()[1].split() == ["7", "ci", "127.0.0.1", "Firefox"]
    assert run("session", "revoke", "7", "-o", "json").stdout == '{\n  "revoked": 7\n}\n'


def test_settings_are_listed_without_secrets(norn, run):
    one = {"name": "NORN_PORT", "value": "9000", "set": True, "secret": False, "meaning": "port"}
    secret = {"name": "NORN_BROKER_URL", "value": None, "set": True, "secret": True, "meaning": "broker"}
    norn.on("GET", "/api/settings", shapes.page(one, secret, {**one, "name": "NORN_HOST", "set": False}))
    rows = [line.split() for line in run("settings", "--changed").stdout.splitlines()[1:]]
    assert rows == [["NORN_PORT", "9000", "set"], ["NORN_BROKER_URL", "(not", "shown)", "set"]]


def test_the_states_of_an_app_are_listed(norn, run):
    down = {"id": 4, "state": "down", "reason": "exited 3", "began_at": "2026-11-23T10:00:00Z",
            "ended_at": "2026-11-23T10:02:00Z"}  # fmt: skip
    norn.on("GET", "/api/apps/blog/health-checks", shapes.page(down))
    (row,) = run("health", "blog").stdout.splitlines()[1:]
    assert re.search(r"down +2 m\w* 0 s +exited 3$", row)


def test_a_new_token_is_all_that_stdout_holds(norn, run):
    norn.on(
        "POST",
        "/api/tokens",
        Answer({"id": 3, "name": "ci", "scopes": ["deploy"], "apps": ["blog"], "token": "norn_x"}, 201),
    )
    result = run("token", "create", "ci", "--scope", "deploy", "--only", "blog")
    assert result.stdout == "norn_x\n"
    assert norn.last("POST", "/api/tokens").json == {"name": "ci", "scopes": ["deploy"], "apps": ["blog"]}


def test_a_token_that_is_not_told_again_is_an_error_with_the_way_out(norn, run):
    norn.on(
        "POST", "/api/tokens", Answer({"id": 3, "name": "ci", "scopes": ["read"], "apps": None, "token": None}, 201)
    )
    result = run("token", "create", "ci")
    assert (result.exit_code, "norn token revoke 3, then create it again" in result.stderr) == (1, True)


def test_a_token_is_revoked_by_its_name(norn, run):
    norn.on("GET", "/api/tokens", TOKENS)
    norn.on("DELETE", "/api/tokens/3", Answer(status=204))
    assert run("token", "revoke", "3", "--confirm", "laptop").exit_code == 0


def test_revoking_asks_for_confirmation(norn, run):
    norn.on("GET", "/api/tokens", TOKENS)
    result = run("token", "revoke", "3")
    assert (result.exit_code, "add --confirm laptop" in result.stderr) == (2, True)


def test_a_token_that_is_not_there(norn, run):
    norn.on("GET", "/api/tokens", TOKENS)
    assert run("token", "revoke", "4").exit_code == 3


def test_version_tells_both(norn, run):
    norn.on("GET", "/api/version", {"version": "9.9.9", "commit": None, "api": "1"})
    assert "9.9.9" in run("version").stdout


def test_version_without_a_server_is_no_failure(norn, run):
    norn.stop()
    result = run("version")
    norn.start()
    assert result.exit_code == 0
    assert "norn" in result.stdout


def test_contexts_are_set_listed_and_used(norn, run, home):
    environment = {"NORN_URL": "", "NORN_TOKEN": ""}
    run("context", "set", "one", "--url", "http://one.example:8800/", env=environment)
    run("context", "set", "here", "--url", norn.url, "--token", "-", env=environment, input="norn_kept\n")
    run("context", "use", "here", env=environment)
    assert run("context", "list", "-o", "name", env=environment).stdout == "here\none\n"
    norn.on("GET", "/api/apps", shapes.page())
    run("status", env=environment)
    assert norn.last("GET", "/api/apps").headers["authorization"] == "Bearer norn_kept"


def test_the_file_of_contexts_is_the_owners_alone(run, home):
    run("context", "set", "one", "--url", "http://one.example", "--token", "norn_x")
    assert (home / "config" / "norn" / "config.toml").stat().st_mode & 0o777 == 0o600


def test_contexts_never_show_tokens(run):
    run("context", "set", "one", "--url", "http://one.example", "--token", "norn_secret_x")
    assert "norn_secret_x" not in "".join(
        run("context", "list", "-o", form).output for form in ("table", "json", "yaml")
    )


def test_the_token_of_norn_up_is_found_on_this_machine(norn, run, home):
    (home / "data").mkdir()
    (home / "data" / "token").write_text("norn_boot\n")
    norn.on("GET", "/api/apps", shapes.page())
    run("status", env={"NORN_TOKEN": ""})
    assert norn.last("GET", "/api/apps").headers["authorization"] == "Bearer norn_boot"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run, shell):
    assert "_NORN_COMPLETE" in run("completion", shell).stdout


def test_app_names_are_completed_from_the_server(norn, process):
    norn.on("GET", "/api/apps", shapes.page(shapes.app("blog"), shapes.app("shop")))
    words = {"_NORN_COMPLETE": "bash_complete", "COMP_WORDS": "norn deploy b", "COMP_CWORD": "2"}
    assert process(env=words).stdout == b"plain,blog\n"


def test_completion_without_a_server_is_silent(norn, process):
    norn.stop()
    words = {"_NORN_COMPLETE": "bash_complete", "COMP_WORDS": "norn deploy b", "COMP_CWORD": "2"}
    result = process(env=words)
    norn.start()
    assert (result.stdout.strip(), result.stderr) == (b"", b"")
