"""Commands that start work: which requests they send, how they wait, and their output at the end."""

from __future__ import annotations

import json
import threading

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, Asked, JobScript, Norn, objects, problem, sse, text

CLONED = shapes.step(1, "clone-source")
BUILDING = shapes.step(2, "build-image", "running", seconds=None)
BUILT = shapes.step(2, "build-image", seconds=41.2)
ERROR = {"code": "tests_failed", "sentence": "its tests exited 1", "hint": "run them at home"}
FAILED = shapes.job("failed", CLONED, BUILT, shapes.step(3, "test-image", "failed", seconds=3), error=ERROR)


@pytest.fixture
def deploying(norn: Norn) -> JobScript:
    """A deploy that succeeds."""
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/deploy", Answer(shapes.accepted(), 202))
    return JobScript(
        norn, shapes.job("queued"), shapes.job("running", CLONED, BUILDING), shapes.job("succeeded", CLONED, BUILT)
    )


@pytest.fixture
def failing(norn: Norn) -> JobScript:
    """A deploy that fails in its tests."""
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/deploy", Answer(shapes.accepted(), 202))
    script = JobScript(norn, shapes.job("running", CLONED), FAILED)
    norn.on("GET", "/api/jobs/7/logs", text(*(f"line {n}" for n in range(20))))
    return script


def test_steps_are_told_on_stderr_as_they_end(deploying, run):
    assert run("deploy", "blog").stderr == "✔ clone-source 1.5 s\n✔ build-image 41 s\n"


def test_the_outcome_is_on_stdout(deploying, run):
    result = run("deploy", "blog")
    assert result.stdout == "blog is live as release 4 (43 s)\nhttp://127.0.0.1:18800\n"
    assert result.exit_code == 0


def test_json_is_the_job_at_its_end(deploying, run):
    assert json.loads(run("deploy", "blog", "-o", "json").stdout) == shapes.job("succeeded", CLONED, BUILT)


def test_names_are_the_jobs_id(deploying, run):
    assert run("deploy", "blog", "-o", "name").stdout == "7\n"


def test_every_request_for_work_has_a_key_of_its_own(norn, deploying, run):
    keys = set()
    for _ in range(2):
        run("deploy", "blog", "--detach")
        keys.add(norn.last("POST", "/api/apps/blog/deploy").headers["idempotency-key"])
    assert len(keys) == 2


def test_detach_prints_the_jobs_id_and_does_not_wait(norn, deploying, run):
    result = run("deploy", "blog", "--detach")
    assert result.stdout == "7\n"
    assert "norn jobs watch 7" in result.stderr
    assert not deploying.streams


def test_detach_as_json_is_the_answer_unchanged(deploying, run):
    assert json.loads(run("deploy", "blog", "--detach", "-o", "json").stdout) == shapes.accepted()


def test_a_failed_step_shows_its_last_lines_and_the_way_out(failing, run):
    result = run("deploy", "blog")
    told = result.stderr.splitlines()
    assert told[2] == "✘ test-image 3.0 s"
    assert told[3:13] == [f"    line {n}" for n in range(10, 20)]
    assert told[-2:] == ["error: test-image: its tests exited 1 [tests_failed]", "hint: run them at home"]
    assert result.exit_code == 6


def test_a_spec_with_many_mistakes_shows_all_of_them(norn, failing, run):
    wrong = {"code": "spec_invalid", "sentence": "infraspec.yaml has 20 mistakes: …", "hint": ""}
    cloning = shapes.step(1, "clone-source", "failed", error=wrong)
    JobScript(norn, shapes.job("running"), shapes.job("failed", cloning, error=wrong))
    norn.on("GET", "/api/jobs/7/logs", text(*(f"infraspec.yaml:{n}:1: wrong" for n in range(20))))
    assert run("deploy", "blog").stderr.splitlines()[1:21] == [f"    infraspec.yaml:{n}:1: wrong" for n in range(20)]


def test_a_failed_deploy_says_what_still_serves(failing, run):
    assert "note: release 4 is still live" in run("deploy", "blog").stderr


def test_a_failed_job_as_json_is_still_the_job(failing, run):
    result = run("deploy", "blog", "-o", "json")
    assert json.loads(result.stdout) == FAILED
    assert result.exit_code == 6


@pytest.mark.parametrize("state", ["cancelled", "superseded", "expired", "dead", "error"])
def test_every_end_but_success_is_six(norn, run, state):
    norn.on("POST", "/api/apps/blog/forge", Answer(shapes.accepted(kind="forge"), 202))
    JobScript(norn, shapes.job(state, kind="forge"))
    result = run("forge", "blog")
    assert result.exit_code == 6
    assert f"error: job 7 ended {state}" in result.stderr


def test_skipped_and_noted_steps_say_why_when_all_is_to_be_shown(norn, run):
    steps = [
        shapes.step(1, "publish-image", "skipped", note="no registry"),
        shapes.step(2, "prune-images", "noted", note="left one"),
    ]
    norn.on("POST", "/api/apps/blog/forge", Answer(shapes.accepted(kind="forge"), 202))
    JobScript(norn, shapes.job("succeeded", *steps, kind="forge"))
    everything = "– publish-image skipped: no registry\n! prune-images 1.5 s  left one\n"
    assert run("forge", "blog", "-v").stderr == everything


def test_skipped_steps_are_not_shown_otherwise(norn, run):
    norn.on("POST", "/api/apps/blog/forge", Answer(shapes.accepted(kind="forge"), 202))
    steps = [shapes.step(1, "publish-image", "skipped", note="no registry"), shapes.step(2, "prune-images")]
    JobScript(norn, shapes.job("succeeded", *steps, kind="forge"))
    assert run("forge", "blog").stderr == "✔ prune-images 1.5 s\n"


def test_verbose_shows_what_the_steps_write_each_line_once(norn, deploying, run):
    pieces = [("build-image", 1, "Step 1/2\nSt"), ("build-image", 1, "Step 1/2\nSt"), ("build-image", 2, "ep 2/2\n")]
    lines = [json.dumps({"step": step, "seq": seq, "at": "", "text": written}) for step, seq, written in pieces]
    norn.on("GET", "/api/jobs/7/logs", text(*lines))
    told = run("deploy", "blog", "-v").stderr.splitlines()
    assert [line for line in told if "│" in line] == ["build-image │ Step 1/2", "build-image │ Step 2/2"]


def test_the_time_to_wait_may_be_over(norn, run):
    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    JobScript(norn, shapes.job("running", kind="restart"))
    result = run("restart", "blog", "--timeout", "0.3")
    assert result.exit_code == 7
    assert "error: job 7 has not ended within 0.3 s; it goes on" in result.stderr
    assert "norn jobs watch 7" in result.stderr


WAITS = "waits for the build of shop (job 3) to end: one build at a time per engine"


def test_what_a_job_waits_for_is_printed_although_no_event_of_it_says_so(norn, run):
    looks = iter([shapes.job("queued", waits=None), shapes.job("queued", waits=WAITS)])
    over = threading.Event()

    def look(_: Asked) -> Answer:
        queued = next(looks, None)
        if queued is None:
            over.set()
        return Answer(queued or shapes.job("succeeded", kind="rollback", created_at="2026-11-23T09:59:00Z"))

    def silent(_: Asked) -> Answer:
        over.wait(20)
        return Answer(content_type="text/event-stream", pieces=[])

    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/rollback", Answer(shapes.accepted(kind="rollback"), 202))
    norn.on("GET", "/api/jobs/7", look)
    norn.on("GET", "/api/jobs/7/events", silent)
    result = run("rollback", "blog")
    assert result.stderr == f"… {WAITS}\n"
    assert "(1 min 43 s, of which 1 min 1 s in the queue)" in result.stdout


def test_a_broken_stream_is_resumed_after_the_last_event(norn, run):
    states = [shapes.job("running"), shapes.job("running", CLONED), shapes.job("succeeded", CLONED)]
    streams: list[str] = []

    def one_event_a_stream(asked: Asked) -> Answer:
        streams.append(asked.headers.get("last-event-id", ""))
        states.pop(0) if len(states) > 1 else None
        return Answer(content_type="text/event-stream", pieces=[sse(f"5-{len(streams)}", "step.ended", {})])

    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    norn.on("GET", "/api/jobs/7", lambda _: Answer(states[0]))
    norn.on("GET", "/api/jobs/7/events", one_event_a_stream)
    assert run("restart", "blog").exit_code == 0
    assert streams == ["", "5-1"]


def test_without_a_stream_the_job_is_polled(norn, run):
    states = [shapes.job("running"), shapes.job("running"), shapes.job("succeeded", CLONED)]
    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    norn.on("GET", "/api/jobs/7", lambda _: Answer(states.pop(0)))
    norn.on("GET", "/api/jobs/7/events", problem(503, "unavailable", "too many streams"))
    assert run("restart", "blog").stderr == "✔ clone-source 1.5 s\n"


def test_a_restart_of_the_server_is_survived(norn, run):
    running, gone = threading.Event(), threading.Event()

    def broken_off(_: Asked) -> Answer:
        running.set()
        gone.wait(10)
        return Answer(cut=True)

    def restart() -> None:
        running.wait(10)
        norn.stop()
        norn.on("GET", "/api/jobs/7", shapes.job("succeeded", CLONED))
        gone.set()
        threading.Timer(1.2, norn.start).start()

    norn.on("POST", "/api/apps/blog/restart", Answer(shapes.accepted(kind="restart"), 202))
    norn.on("GET", "/api/jobs/7", shapes.job("running"))
    norn.on("GET", "/api/jobs/7/events", broken_off)
    threading.Thread(target=restart).start()
    result = run("restart", "blog")
    assert result.exit_code == 0
    assert "trying again for a minute" in result.stderr
    assert result.stderr.endswith("✔ clone-source 1.5 s\n")


def test_a_request_whose_answer_got_lost_is_sent_again_with_its_key(norn, run):
    keys: list[str] = []

    def first_lost(asked: Asked) -> Answer:
        keys.append(asked.headers["idempotency-key"])
        return Answer(cut=True) if len(keys) == 1 else Answer(shapes.accepted(), 202)

    norn.on("POST", "/api/apps/blog/deploy", first_lost)
    assert run("deploy", "blog", "--detach").stdout == "7\n"
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["forge", "blog"], "forge", {"force": False}),
        (["forge", "blog", "--force"], "forge", {"force": True}),
        (["forge", "blog", "--cluster", "kubernetes"], "forge", {"force": False, "cluster": "kubernetes"}),
        (["deploy", "blog"], "deploy", {"ref": None}),
        (["deploy", "blog", "v2"], "deploy", {"ref": "v2"}),
        (["--app", "blog", "deploy", "--ref", "v2"], "deploy", {"ref": "v2"}),
        (["rollback", "blog"], "rollback", {"release": None}),
        (["rollback", "blog", "3"], "rollback", {"release": 3}),
        (["rollback", "3", "--app", "blog"], "rollback", {"release": 3}),
        (["restart", "blog"], "restart", {}),
        (["scale", "blog", "3"], "scale", {"replicas": 3}),
        (["scale", "0", "--app", "blog"], "scale", {"replicas": 0}),
        (["scale", "blog", "--reset"], "scale", {"reset": True}),
        (["teardown", "blog", "--confirm", "blog"], "teardown", {"purge": False}),
        (["teardown", "blog", "--purge", "--confirm", "blog"], "teardown", {"purge": True}),
    ],
)
def test_what_each_command_asks_for(norn, run, words, path, body):
    norn.on("POST", f"/api/apps/blog/{path}", Answer(shapes.accepted(kind=path), 202))
    assert run(*words, "--detach").exit_code == 0
    assert norn.last("POST", f"/api/apps/blog/{path}").json == body


def test_destroy_tears_down_waits_and_then_removes_the_row(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/teardown", Answer(shapes.accepted(kind="teardown"), 202))
    norn.on("DELETE", "/api/apps/blog", Answer(status=204))
    JobScript(norn, shapes.job("running", kind="teardown"), shapes.job("succeeded", kind="teardown"))
    assert run("destroy", "blog", "--confirm", "blog").exit_code == 0
    changes = [(asked.method, asked.path) for asked in norn.asked if asked.method != "GET"]
    assert changes == [("POST", "/api/apps/blog/teardown"), ("DELETE", "/api/apps/blog")]


def test_destroy_of_an_app_that_never_stood_removes_the_row(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/teardown", problem(409, "not_forged", "blog has no infrastructure yet"))
    norn.on("DELETE", "/api/apps/blog", Answer(status=204))
    assert run("destroy", "blog", "--confirm", "blog").exit_code == 0


def test_destroy_keeps_the_row_when_the_teardown_failed(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/teardown", Answer(shapes.accepted(kind="teardown"), 202))
    JobScript(norn, shapes.job("failed", kind="teardown"))
    assert run("destroy", "blog", "--confirm", "blog").exit_code == 6
    assert not [asked for asked in norn.asked if asked.method == "DELETE"]


@pytest.mark.parametrize("words", [["teardown", "blog"], ["destroy", "blog"]])
def test_what_destroys_asks_on_a_pipe_for_the_option(norn, run, words):
    norn.on("GET", "/api/apps/blog", shapes.app())
    result = run(*words)
    assert result.exit_code == 2
    assert "hint: add --confirm blog" in result.stderr
    assert not [asked for asked in norn.asked if asked.method != "GET"]


def test_a_wrong_confirmation_does_nothing(norn, run):
    assert run("teardown", "blog", "--confirm", "shop").exit_code == 2
    assert norn.asked == []


def test_watch_follows_a_job_again(deploying, run):
    result = run("jobs", "watch", "7")
    assert "✔ build-image 41 s" in result.stderr
    assert result.stdout.startswith("blog is live as release 4")


def test_job_logs_follow_to_the_end(norn, deploying, run):
    norn.on("GET", "/api/jobs/7/logs", text(json.dumps({"step": "build-image", "seq": 1, "text": "one\ntwo"})))
    assert run("jobs", "logs", "7", "-f").stdout == "one\ntwo\n"


def test_cancel_waits_until_the_job_has_stopped(norn, run):
    norn.on("POST", "/api/jobs/7/cancel", Answer(shapes.job("running"), 202))
    JobScript(norn, shapes.job("running"), shapes.job("cancelled"))
    result = run("jobs", "cancel", "7")
    assert result.exit_code == 0
    assert result.stdout.split() == ["job", "7", "state", "cancelled"]


def test_apply_puts_the_text_as_it_is(norn, run, home):
    spec = "app: blog\nrole: webserver # ours\nport: 80\n"
    (home / "infraspec.yaml").write_text(spec)
    norn.on("PUT", "/api/apps/blog", Answer(shapes.app(forge={"state": "unforged", "error": None}), 201))
    result = run("apply", str(home))
    asked = norn.last("PUT", "/api/apps/blog")
    assert (asked.body.decode(), asked.headers["content-type"]) == (spec, "text/yaml")
    assert result.stdout == "blog is applied: webserver, running\n"
    assert "hint: norn forge blog" in result.stderr


def test_mistakes_name_the_file_that_was_typed(norn, run, home):
    (home / "my.yaml").write_text("app: blog\nport: x\n")
    mistakes = [
        {
            "file": "infraspec.yaml",
            "line": 2,
            "column": 7,
            "field": "port",
            "message": "must be a number",
            "hint": "such as 80",
        },
        {"file": "infraspec.yaml", "line": 1, "column": 1, "field": "role", "message": "is missing", "hint": ""},
    ]
    norn.on("PUT", "/api/apps/blog", problem(422, "spec_invalid", "2 mistakes", mistakes=mistakes))
    result = run("apply", str(home / "my.yaml"))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{home}/my.yaml:2:7: port: must be a number (such as 80)",
        f"{home}/my.yaml:1:1: role: is missing",
    ]


def test_a_spec_without_a_name_is_checked_all_the_same(norn, run, home):
    (home / "infraspec.yaml").write_text("role: [")
    mistake = {"file": "x", "line": 1, "column": 8, "field": "", "message": "is no YAML", "hint": ""}
    norn.on("POST", "/api/validate", {"valid": False, "mistakes": [mistake], "notices": [], "spec": None})
    assert run("apply", str(home)).stderr == f"{home}/infraspec.yaml:1:8: is no YAML\n"


def test_another_apps_spec_is_not_applied(norn, run, home):
    (home / "infraspec.yaml").write_text("app: blog\n")
    assert run("apply", str(home), "--app", "shop").exit_code == 2
    assert norn.asked == []


def test_run_without_dashes_says_where_the_command_stands(norn, run):
    result = run("run", "blog")
    assert (result.exit_code, result.stderr) == (
        2, "error: the command to run goes after --\nhint: norn run blog -- ls -l\n",
    )  # fmt: skip


def test_a_run_with_a_terminal_needs_one_and_does_not_detach(norn, run):
    for words, said in ((("-t",), "write -i instead of -t"), (("-i", "--detach"), "leave one of them out")):
        result = run("run", "blog", *words, "--", "sh")
        assert (result.exit_code, said in result.stderr) == (2, True)
    assert norn.asked == []


def test_run_sends_the_words_behind_the_dashes_untouched(norn, run):
    norn.on("POST", "/api/apps/blog/run", shapes.accepted(kind="run", execution=31))
    result = run("run", "blog", "--timeout", "9", "--detach", "--", "ls", "--help", "--", "-l")
    sent = norn.last("POST", "/api/apps/blog/run").json
    assert (result.stdout, sent) == ("31\n", {"command": ["ls", "--help", "--", "-l"], "timeout": 9})


def test_run_shows_what_the_log_missed_and_ends_by_the_record(norn, run):
    norn.on("POST", "/api/apps/blog/run", shapes.accepted(kind="run", execution=31))
    piece = {"step": "run-command", "seq": 1, "stream": "stdout", "text": "one\n"}
    norn.on("GET", "/api/jobs/7/logs", Answer(content_type="application/x-ndjson", pieces=[json.dumps(piece).encode()]))
    ended = shapes.run(stdout="one\ntwo\n", stderr="careful\n", state="failed", exit_code=3, sentence="it exited 3")
    norn.on("GET", "/api/runs/31", ended)
    result = run("run", "blog", "--", "count")
    assert (result.exit_code, result.stdout) == (6, "one\ntwo\n")
    assert result.stderr.startswith("careful\nerror: run 31 failed: it exited 3\n")


def test_an_error_that_nobody_foresaw_ends_the_following(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("POST", "/api/apps/blog/deploy", Answer(shapes.accepted(), 202))
    JobScript(norn, shapes.job("running", CLONED), shapes.job("running", CLONED))
    norn.on("GET", "/api/jobs/7/logs", objects({"step": "build-image", "seq": "no number", "text": "x"}))
    result = run("deploy", "blog", "-v")
    assert (result.exit_code != 0, "job 7 can no longer be followed: ValueError" in result.stderr) == (True, True)


def test_resolve_sends_one_answer_and_follows_the_job_that_goes_on(norn, run):
    norn.on("POST", "/api/jobs/6/resolve", Answer(shapes.accepted(kind="forge"), 202))
    assert run("resolve", "6", "--done", "--detach").stdout == "7\n"
    assert norn.last("POST", "/api/jobs/6/resolve").json == {"resolution": "done"}
    assert run("resolve", "6", "--abandon").stdout == "job 6 is abandoned\n"
    for words in ((), ("--done", "--retry")):
        refused = run("resolve", "6", *words)
        assert "give one of --done, --retry and --abandon" in refused.stderr
