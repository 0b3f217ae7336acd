"""Calling functions: input and output stay binary, and the messages about failed calls name the true reason."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, JobScript, problem

INVOKE = "/api/apps/thumb/invoke"
BINARY = bytes(range(256))
FAILED = shapes.call(state="failed", exit_code=3, sentence="it exited 3", hint="read its stderr", stderr="boom\n")


def test_stdout_and_stderr_come_as_they_are(norn, run):
    norn.on("POST", INVOKE, shapes.call(stdout="\x1b]0;x\x07héllo", stderr="warn"))
    result = run("invoke", "thumb")
    assert (result.stdout_bytes, result.stderr_bytes) == ("\x1b]0;x\x07héllo".encode(), b"warn")


def test_binary_answers_are_exact_on_a_pipe(norn, process):
    norn.on("POST", INVOKE, shapes.call(stdout=None, stdout_base64=base64.b64encode(BINARY).decode()))
    result = process("invoke", "thumb")
    assert (result.stdout, result.stderr, result.returncode) == (BINARY, b"", 0)


def test_the_body_from_stdin_is_exact(norn, process):
    norn.on("POST", INVOKE, shapes.call())
    process("invoke", "thumb", "--body", "-", input=BINARY)
    assert norn.last("POST", INVOKE).body == BINARY


def test_the_body_from_a_file_is_exact(norn, run, home):
    (home / "picture").write_bytes(BINARY)
    norn.on("POST", INVOKE, shapes.call())
    run("invoke", "thumb", "--body", f"@{home}/picture")
    assert norn.last("POST", INVOKE).body == BINARY


def test_a_body_file_that_is_not_there_is_a_sentence(run):
    result = run("invoke", "thumb", "--body", "@/nowhere/picture")
    assert result.exit_code == 1
    assert result.stderr == "error: /nowhere/picture cannot be read: No such file or directory\n"


def test_method_path_and_headers_reach_the_server(norn, run):
    norn.on("POST", INVOKE, shapes.call())
    run("invoke", "thumb", "-X", "put", "--path", "/a b?c=d", "-H", "X-Kind: small", "--body", "hi")
    asked = norn.last("POST", INVOKE)
    assert asked.query == {"method": "PUT", "path": "/a b?c=d"}
    assert asked.headers["x-kind"] == "small"
    assert asked.body == b"hi"


@pytest.mark.parametrize(
    ("given", "words", "sent"),
    [
        (b"hi", [], b"hi"),
        (b"", [], b""),
        (b"hi", ["-b", "x"], b"x"),
        (b"hi", ["-b", ""], b""),
        (b"hi", ["-X", "GET"], b""),
    ],
)
def test_what_comes_on_a_pipe_is_sent_unless_a_body_is_given(norn, process, given, words, sent):
    norn.on("POST", INVOKE, shapes.call())
    assert process("invoke", "thumb", *words, input=given).returncode == 0
    assert norn.last("POST", INVOKE).body == sent


def test_a_file_on_standard_input_is_sent_and_no_device(norn, process, tmp_path):
    (tmp_path / "picture").write_bytes(BINARY)
    for path, sent in ((tmp_path / "picture", BINARY), (Path("/dev/null"), b"")):
        norn.on("POST", INVOKE, shapes.call())
        with path.open("rb") as file:
            assert process("invoke", "thumb", stdin=file).returncode == 0
        assert norn.last("POST", INVOKE).body == sent


def test_an_open_pipe_on_which_nothing_comes_calls_nothing_and_does_not_hang(process):
    inner, outer = os.pipe()
    try:
        ended = process("invoke", "thumb", stdin=inner)
    finally:
        os.close(inner)
        os.close(outer)
    assert ended.returncode == 2
    assert (
        b"no input came on standard input for 10 s" in ended.stderr and b"--body '' calls without input" in ended.stderr
    )


def test_a_failed_call_is_six_with_its_reason(norn, run):
    norn.on("POST", INVOKE, FAILED)
    result = run("invoke", "thumb")
    assert result.exit_code == 6
    assert result.stderr == "boom\nerror: execution 41 failed: it exited 3\nhint: read its stderr\n"


def test_a_busy_function_is_told_as_the_server_tells_it(norn, run):
    norn.on("POST", INVOKE, problem(429, "too_many_requests", "thumb runs 4 calls at once already", "try again in 2 s"))
    result = run("invoke", "thumb")
    assert result.exit_code == 1
    assert result.stderr == "error: thumb runs 4 calls at once already [too_many_requests]\nhint: try again in 2 s\n"


@pytest.mark.parametrize(("words", "code"), [([], 6), (["--exit-code"], 3)])
def test_exit_code_is_the_functions_own_where_it_is_wanted(norn, run, words, code):
    norn.on("POST", INVOKE, FAILED)
    result = run("invoke", "thumb", "--body", "", *words)
    assert (result.exit_code, "boom\n" in result.stderr) == (code, True)


def test_call_that_has_no_exit_code_is_six_with_exit_code_too(norn, run):
    norn.on("POST", INVOKE, {**FAILED, "state": "error", "exit_code": None})
    assert run("invoke", "thumb", "--body", "", "--exit-code").exit_code == 6


def test_verbose_prints_request_run_and_head_beside_the_answer(norn, run):
    norn.on("POST", INVOKE, shapes.call(status=201, headers=[["X-A", "b"]], query="c=d"))
    result = run("invoke", "thumb", "--body", "hi", "-v")
    assert result.stdout == "hello\n"
    assert result.stderr.splitlines() == [
        "> POST /?c=d, 2 bytes", "* execution 41, release 1: succeeded, exit code 0, 420 ms", "< 201, 6 bytes",
        "< X-A: b",
    ]  # fmt: skip


def test_json_is_the_record(norn, run):
    norn.on("POST", INVOKE, shapes.call())
    assert json.loads(run("invoke", "thumb", "-o", "json").stdout) == shapes.call()


def test_record_shows_what_is_known(norn, run):
    norn.on("POST", INVOKE, FAILED)
    result = run("invoke", "thumb", "--record")
    assert "exit code  3" in result.stdout
    assert "stderr:\n  boom\n" in result.stdout
    assert result.exit_code == 6


def test_an_asynchronous_call_prints_its_id(norn, run):
    norn.on("POST", INVOKE, Answer(shapes.accepted(kind="invoke", execution=41), 202))
    result = run("invoke", "thumb", "--async")
    assert result.stdout == "41\n"
    assert norn.last("POST", INVOKE).headers["prefer"] == "respond-async"


@pytest.mark.parametrize("header", ["no colon", "X-A: b\r\nX-C: d", "Ä: b"])
def test_what_is_no_header_is_usage(norn, run, header):
    assert run("invoke", "thumb", "-H", header).exit_code == 2
    assert norn.asked == []


def test_history_lists_calls(norn, run):
    norn.on("GET", "/api/apps/thumb/function/history", shapes.page(shapes.call(), FAILED))
    printed = run("fn", "history", "thumb").stdout.splitlines()
    assert printed[1].split()[-4:] == ["succeeded", "0", "0.4", "s"]
    assert printed[2].endswith("it exited 3: boom")


def test_show_of_a_failed_call_is_no_failure(norn, run):
    norn.on("GET", "/api/invocations/41", FAILED)
    assert run("fn", "show", "41").exit_code == 0


def test_show_answer_is_what_invoke_would_have_printed(norn, run):
    norn.on("GET", "/api/invocations/41", FAILED)
    result = run("fn", "show", "41", "--answer")
    assert result.stdout == "hello\n"
    assert result.exit_code == 6


@pytest.fixture
def replayed(norn):
    """A replay of call 41 that is accepted as call 43, which succeeds."""
    norn.on("POST", "/api/invocations/41/replay", Answer(shapes.accepted(kind="invoke", execution=43), 202))
    norn.on("GET", "/api/invocations/43", shapes.call(id=43))
    return JobScript(norn, *(shapes.job(state, kind="invoke", execution=43) for state in ("queued", "succeeded")))


def test_replay_waits_and_prints_the_new_answer(replayed, run):
    result = run("fn", "replay", "41")
    assert (result.stdout, result.stderr, result.exit_code) == ("hello\n", "", 0)
    assert replayed.streams


def test_replay_names_the_release(norn, replayed, run):
    run("fn", "replay", "41", "--release", "2")
    assert norn.last("POST", "/api/invocations/41/replay").json == {"release": 2}


def test_replay_as_json_is_the_new_record(replayed, run):
    assert json.loads(run("fn", "replay", "41", "-o", "json").stdout) == shapes.call(id=43)


def test_a_replay_that_fails_is_six_with_its_reason(norn, replayed, run):
    norn.on("GET", "/api/invocations/43", {**FAILED, "id": 43})
    result = run("fn", "replay", "41")
    assert result.exit_code == 6
    assert result.stderr == "boom\nerror: execution 43 failed: it exited 3\nhint: read its stderr\n"


def test_a_detached_replay_prints_its_job_and_where_its_answer_will_be(replayed, run):
    result = run("fn", "replay", "41", "--detach")
    assert (result.stdout, replayed.streams) == ("7\n", [])
    assert result.stderr == "hint: norn jobs watch 7\nhint: norn fn show 43\n"


def test_a_replay_that_takes_too_long_is_seven(norn, replayed, run):
    JobScript(norn, shapes.job("running", kind="invoke"), shapes.job("running", kind="invoke"))
    assert run("fn", "replay", "41", "--timeout", "0.3").exit_code == 7


def test_a_call_is_cancelled(norn, run):
    norn.on("DELETE", "/api/invocations/41", Answer(shapes.call(state="cancelled"), 202))
    assert run("fn", "cancel", "41").stdout == "execution  41\nstate      cancelled\n"
    assert json.loads(run("fn", "cancel", "41", "-o", "json").stdout) == shapes.call(state="cancelled")
    assert run("fn", "cancel", "41", "-o", "name").stdout == "41\n"


COMPARED = {
    "before": 41, "after": 43, "same": False, "status": {"name": "status", "before": "200", "after": "502"},
    "headers": [{"name": "x-a", "before": "b", "after": None}], "first_byte": 0,
    "lines": ["--- before", "+++ after", "@@ -1 +1 @@", "-one", "+two"],
}  # fmt: skip


def test_replay_shows_how_the_answer_differs_and_is_eight(norn, replayed, run):
    norn.on("GET", "/api/invocations/41/comparison/43", COMPARED)
    result = run("fn", "replay", "41", "--release", "2", "--diff")
    assert result.exit_code == 8
    assert result.stdout.splitlines() == [
        "--- execution 41", "+++ execution 43", "- status: 200", "+ status: 502", "- x-a: b", "@@ -1 +1 @@", "-one",
        "+two",
    ]  # fmt: skip
    assert norn.last("POST", "/api/invocations/41/replay").json == {"release": 2}


def test_replay_with_the_same_answer_says_so(norn, replayed, run):
    same = {"same": True, "status": None, "headers": [], "first_byte": None, "lines": []}
    norn.on("GET", "/api/invocations/41/comparison/43", {**COMPARED, **same})
    result = run("fn", "replay", "41", "--diff")
    assert (result.exit_code, "the same status, headers and body" in result.stdout) == (0, True)
