"""Behaviour at a terminal: colours, the repainted line, confirmation; the output of an app cannot control the
terminal.
"""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.conftest import NORN
from tests.integration.cli.server import Answer, JobScript, text

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x1b[8mhidden\r\x9b31mx\x1bPq#0\x1b\\end"


@pytest.fixture
def at_terminal(process_environ):
    """Runs norn with a terminal as stdin, stdout and stderr; returns exit status and output."""

    def run(*args: str, typed: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        running = subprocess.Popen(
            [*NORN, *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm", **process_environ, **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        if typed:
            os.write(ours, typed)
        seen = b""
        while piece := _read(ours):
            seen += piece
        os.close(ours)
        return running.wait(10), seen.decode()

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


def test_a_terminal_gets_colours(norn, at_terminal):
    norn.on("GET", "/api/apps", shapes.page(shapes.app()))
    assert "\x1b[32mrunning" in at_terminal("status")[1]


def test_a_bar_has_a_colour_for_each_sign(norn, at_terminal):
    marks = [{"scheduled_for": "", "how_many": 1, "verdict": verdict, "state": state, "execution": None}
             for verdict, state in (("fired", "succeeded"), ("missed", None))]  # fmt: skip
    norn.on("GET", "/api/cron", shapes.page(shapes.scheduled("report", marks)))
    assert "\x1b[32m.\x1b[0m\x1b[31mm\x1b[0m" in at_terminal("cron", "list")[1]


@pytest.mark.parametrize(("words", "env"), [([], {"NO_COLOR": "1"}), (["--no-color"], {})])
def test_no_colours_when_none_are_wanted(norn, at_terminal, words, env):
    norn.on("GET", "/api/apps", shapes.page(shapes.app()))
    norn.on("GET", "/api/apps/blog/logs", text(HOSTILE))
    assert "\x1b" not in at_terminal("status", *words, env=env)[1]
    assert "\x1b" not in at_terminal("logs", "blog", *words, env=env)[1]
    assert "\x1b" not in at_terminal("nonsense", *words, env=env)[1]


def test_a_pipe_gets_no_colours(norn, process):
    norn.on("GET", "/api/apps", shapes.page(shapes.app()))
    norn.on("GET", "/api/apps/blog/logs", text(HOSTILE))
    assert b"\x1b" not in process("status").stdout
    assert process("logs", "blog").stdout == b"redhidden\nxend\n"


def test_an_apps_colours_reach_the_terminal_and_nothing_else_does(norn, at_terminal):
    norn.on("GET", "/api/apps/blog/logs", text(HOSTILE))
    seen = at_terminal("logs", "blog")[1]
    assert seen.replace("\r\n", "\n") == "\x1b[31mred\x1b[0m\x1b[8mhidden\nxend\x1b[0m\n"


def test_an_error_of_the_servers_cannot_steer_the_terminal(norn, run):
    norn.on("GET", "/api/apps", Answer({"detail": HOSTILE, "hint": HOSTILE}, 500, "application/problem+json"))
    assert run("status").stderr == "error: redhidden xend\nhint: redhidden xend\n"


def test_names_in_a_table_cannot_steer_the_terminal(norn, run):
    norn.on("GET", "/api/apps", shapes.page(shapes.app(state=HOSTILE)))
    assert not set(run("status").stdout) & set("\x1b\x07\x9b\r")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_json_and_yaml_escape_what_could_steer(norn, run, form):
    norn.on("GET", "/api/apps", shapes.page(shapes.app(state=HOSTILE + "\u202e")))
    assert not set(run("status", "-o", form).stdout) & set("\x1b\x07\x9b\r\u202e")


def test_an_answer_is_cleaned_for_a_terminal(norn, at_terminal):
    norn.on("POST", "/api/apps/thumb/invoke", shapes.call(stdout=HOSTILE))
    assert "owned" not in at_terminal("invoke", "thumb")[1]


def test_the_running_step_is_painted_with_its_last_line(norn, at_terminal):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    JobScript(norn, shapes.job("running", shapes.step(1, "rollout-image", "running")))
    norn.on("GET", "/api/jobs/7/logs", text('{"step": "rollout-image", "seq": 1, "text": "replica 1 is up\\n"}'))
    code, seen = at_terminal("restart", "blog", "--timeout", "1")
    assert code == 7
    assert "rollout-image 0." in seen
    assert "replica 1 is up" in seen
    assert "\r\x1b[2K" in seen


def test_a_typed_name_confirms(norn, at_terminal):
    norn.on("POST", "/api/apps/blog/teardown", Answer(shapes.accepted(kind="teardown"), 202))
    code, seen = at_terminal("teardown", "blog", "--detach", typed=b"blog\n")
    assert code == 0
    assert "Type blog to go on:" in seen


def test_another_typed_name_does_nothing(norn, at_terminal):
    assert at_terminal("teardown", "blog", typed=b"yes\n")[0] == 2
    assert norn.asked == []
