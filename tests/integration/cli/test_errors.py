"""For each kind of failure `norn` prints one sentence and a hint, and ends with the exit status that scripts
rely on.
"""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.conftest import NORN
from tests.integration.cli.server import Answer, JobScript, problem, text
from tests.servers import wait_until


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "bad_request", 1),
        (401, "unauthenticated", 4),
        (403, "forbidden", 4),
        (404, "app_not_found", 3),
        (409, "not_forged", 5),
        (413, "body_too_large", 1),
        (422, "invalid_request", 1),
        (429, "too_many_requests", 1),
        (500, "error", 1),
        (503, "database_down", 1),
    ],
)
def test_a_problem_is_its_sentence_hint_and_code(norn, run, status, code, expected):
    norn.on("POST", "/api/apps/blog/deploy", problem(status, code, "this is why", "this helps"))
    result = run("deploy", "blog")
    assert (result.exit_code, result.stderr) == (expected, f"error: this is why [{code}]\nhint: this helps\n")


def test_a_wrong_field_of_a_request_is_a_sentence(norn, run):
    mistake = {"file": "request", "line": 1, "column": 1, "field": "name", "message": "is too long", "hint": ""}
    norn.on("POST", "/api/tokens", problem(422, "invalid_request", "name: is too long", mistakes=[mistake]))
    assert run("token", "create", "x").stderr == "error: name: is too long [invalid_request]\n"


def test_without_a_hint_of_the_servers_a_refused_token_has_one(norn, run):
    norn.on("GET", "/api/apps", problem(401, "unauthenticated", "that token is not known"))
    assert "NORN_TOKEN" in run("status").stderr


def test_a_server_that_does_not_answer(norn, run):
    norn.stop()
    result = run("status")
    norn.start()
    assert result.exit_code == 1
    assert f"error: cannot reach {norn.url}: connection refused" in result.stderr
    assert "hint: norn up starts a server here" in result.stderr


def test_something_that_is_no_norn_server(norn, run):
    norn.on("GET", "/api/apps", Answer(content_type="text/html", pieces=[b"<h1>It works!</h1>"]))
    result = run("status")
    assert result.exit_code == 1
    assert "NORN_URL or --url" in result.stderr


def test_an_error_page_of_something_else(norn, run):
    norn.on("GET", "/api/apps", Answer(status=502, content_type="text/html", pieces=[b"<h1>Bad Gateway</h1>"]))
    result = run("status")
    assert (result.exit_code, "answered 502" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-command"],
        ["status", "--no-such-option"],
        ["status", "-o", "xml"],
        ["status", "Not_A_Name"],
        ["status", "../etc"],
        ["deploy"],
        ["deploy", "blog", "--timeout", "-1"],
        ["scale", "blog"],
        ["scale", "blog", "2", "--reset"],
        ["scale", "blog", "many"],
        ["rollback", "blog", "latest"],
        ["jobs", "show", "seven"],
        ["jobs", "frobnicate"],
        ["logs", "blog", "--app", "shop"],
        ["--url", "localhost:8800", "status"],
        ["--url", "ftp://example", "status"],
        ["--context", "nowhere", "status"],
        ["invoke", "thumb", "--path", "no-slash"],
        ["cron", "logs", "report", "last"],
        ["apply", "/nowhere"],
    ],
)
def test_what_cannot_be_meant_is_usage_and_asks_nothing(norn, run, words):
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "hint: " in result.stderr
    assert "Traceback" not in result.stderr
    assert norn.asked == []


def test_a_slip_of_the_finger_is_guessed(run):
    assert "did you mean norn status?" in run("stauts").stderr


def test_a_token_that_no_header_can_hold_is_not_shown(run):
    result = run("status", env={"NORN_TOKEN": "norn_\nsecret"})
    assert result.exit_code == 2
    assert "secret" not in result.stderr


def test_a_config_file_that_cannot_be_read_is_named(run, home):
    (home / "config" / "norn").mkdir(parents=True)
    (home / "config" / "norn" / "config.toml").write_text("contexts = nonsense")
    result = run("status")
    assert result.exit_code == 1
    assert "config.toml cannot be read" in result.stderr


def test_ctrl_c_detaches_and_says_how_to_come_back(norn, process_environ):
    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    script = JobScript(norn, shapes.job("running", kind="restart"))
    running = subprocess.Popen(
        [*NORN, "restart", "blog"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=process_environ
    )
    wait_until(lambda: script.streams, 10, "norn follows the job")
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert stdout == b""
    assert b"note: detached; job 7 goes on" in stderr
    assert b"norn jobs show 7" in stderr
    assert b"norn jobs cancel 7" in stderr
    assert b"Traceback" not in stderr


def test_ctrl_c_elsewhere_is_130_without_a_traceback(norn, process_environ):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("GET", "/api/apps/blog/logs", Answer(content_type="application/x-ndjson", pieces=endless()))
    running = subprocess.Popen(
        [*NORN, "logs", "blog", "-f"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=process_environ
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"r | 0\n"
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert b"Traceback" not in stderr


def test_a_reader_that_leaves_is_no_traceback(norn, process_environ):
    norn.on("GET", "/api/apps/blog/logs", text(*("x" * 100 for _ in range(5000))))
    running = subprocess.Popen(
        [*NORN, "logs", "blog"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=process_environ
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    running.wait(10)


def endless():
    """Yields lines until the client closes the connection."""
    import itertools

    for n in itertools.count():
        yield f'{{"source": "r", "line": "{n}"}}\n\n'.encode()
