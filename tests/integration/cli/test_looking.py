"""The output of `norn` about apps and jobs: tables, the facts about one thing, the API's unchanged JSON, and bare
names.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, Asked, objects, text


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


def test_status_lists_every_app_in_a_line(norn, run):
    norn.on("GET", "/api/apps", shapes.page(shapes.app(), shapes.app("shop", state="degraded", ready=1)))
    printed = rows(run("status").stdout)
    assert printed[0][:5] == ["APP", "ROLE", "STATE", "READY", "RELEASE"]
    assert printed[1][:4] == ["shop", "webserver", "degraded", "1/2"]
    assert printed[2][:5] == ["blog", "webserver", "running", "2/2", "4"]


FAILED_DEPLOY = {"state": "failed", "ended_at": "2026-11-23T10:00:00Z", "error": {"sentence": "no"}}
TROUBLED = [
    shapes.app("a"),
    shapes.app("b", last_deployment=FAILED_DEPLOY),
    shapes.app("c", state="deploy failed", live=None, last_deployment=FAILED_DEPLOY),
    shapes.app("d", state="degraded", ready=1),
]


def test_trouble_comes_first_and_is_counted(norn, run):
    norn.on("GET", "/api/apps", shapes.page(*TROUBLED))
    result = run("status")
    assert [row[0] for row in rows(result.stdout)[1:]] == ["c", "d", "b", "a"]
    assert result.stderr == "4 apps: 1 deploy failed, 1 degraded, 2 running; the last deploy of 2 failed\n"


def test_a_failed_last_deploy_is_beside_the_state_and_what_was_never_live_has_no_url(norn, run):
    norn.on("GET", "/api/apps", shapes.page(*TROUBLED))
    lines = {line.split()[0]: line for line in run("status").stdout.splitlines()}
    assert "running, last deploy failed" in lines["b"]
    assert ("http" in lines["b"], "http" in lines["c"]) == (True, False)


def test_status_filters_by_trouble_and_by_role(norn, run):
    norn.on("GET", "/api/apps", shapes.page(*TROUBLED))
    assert run("status", "--down", "-o", "name").stdout == "b\nc\nd\n"
    run("status", "--role", "worker")
    assert norn.asked[-1].query["role"] == "worker"


def test_status_reads_every_page(norn, run):
    def paged(asked: Asked) -> Answer:
        after = asked.query.get("after")
        return Answer(shapes.page(shapes.app("two")) if after == "one" else shapes.page(shapes.app("one"), after="one"))

    norn.on("GET", "/api/apps", paged)
    assert run("status", "-o", "name").stdout == "one\ntwo\n"


def test_a_job_at_work_stands_beside_the_state(norn, run):
    norn.on("GET", "/api/apps", shapes.page(shapes.app(running_job={"id": 9, "kind": "deploy"})))
    assert "running, deploy in job 9" in run("status").stdout


def test_json_is_the_servers_object_unchanged(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app(extra={"unknown": ["to", "the", 'cli\x9b"']}))
    assert json.loads(run("status", "blog", "-o", "json").stdout) == shapes.app(
        extra={"unknown": ["to", "the", 'cli\x9b"']}
    )


def test_yaml_is_the_same_object(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    assert yaml.safe_load(run("status", "blog", "-o", "yaml").stdout) == shapes.app()


def test_global_options_stand_before_or_after_the_command(norn, run):
    norn.on("GET", "/api/apps", shapes.page(shapes.app()))
    assert run("-o", "name", "status").stdout == run("status", "-o", "name").stdout == "blog\n"


def test_an_empty_server_says_what_to_type(norn, run):
    norn.on("GET", "/api/apps", shapes.page())
    result = run("status")
    assert result.stdout == ""
    assert [line.strip() for line in result.stderr.splitlines()[2:]] == [
        "norn init       (writes infraspec.yaml, and a Dockerfile if there is none)",
        "norn deploy .",
    ]


def test_an_empty_server_has_no_names(norn, run):
    norn.on("GET", "/api/apps", shapes.page())
    assert run("status", "-o", "name").output == ""


def test_status_of_one_app_tells_its_facts(norn, run):
    override = {"replicas": 3, "by": "ann", "at": "2026-11-23T10:00:00Z"}
    replica = {
        "name": "norn-blog-r4-g1-0",
        "state": "running",
        "release": 4,
        "restarts": 2,
        "healthy": False,
        "message": "m",
    }
    found = shapes.app(
        replicas_override=override, external="a.example.com: not routed: norn forge a routes it", replicas=[replica]
    )
    norn.on("GET", "/api/apps/blog", found)
    printed = run("status", "blog").stdout
    assert "set to 3 by ann" in printed
    assert "a.example.com: not routed: norn forge a routes it" in printed
    assert ["norn-blog-r4-g1-0", "running", "4", "no", "2", "m"] in rows(printed)


def test_status_of_one_app_says_how_much_of_the_time_it_served(norn, run):
    down = {"state": "down", "reason": "exited 3", "began_at": "2026-01-01T00:00:00+00:00", "ended_at": None}
    norn.on(
        "GET",
        "/api/apps/blog",
        {**shapes.app(), "recent": [], "uptime": {"day": 99.31, "week": 100.0, "changes": [down]}},
    )
    told = run("status", "blog").stdout
    assert "99.31 % in 24 h, 100 % in 7 days; last down" in told and "exited 3" in told


@pytest.mark.parametrize(
    ("cluster", "usage", "expected"),
    [
        ("docker", {"cpus": 0.25, "memory": 32 * 2**20, "memory_limit": 2**29, "measured_at": "2026-01-01T00:00:00Z"},
         ["0.25 CPUs, 32.0 of 512 MiB of memory, measured", "0.25 32.0 of 512 MiB"]),
        ("docker", None, ["not measured yet"]),
        ("kubernetes", None, ["not measured on Kubernetes"]),
    ],
)  # fmt: skip
def test_status_of_one_app_says_what_it_uses(norn, run, cluster, usage, expected):
    replica = {"name": "r4-1", "state": "running", "release": 4, "restarts": 0, "healthy": True, "message": "",
               "usage": usage}  # fmt: skip
    norn.on("GET", "/api/apps/blog", shapes.app(cluster=cluster, usage=usage, replicas=[replica]))
    printed = " ".join(run("status", "blog").stdout.split())
    assert all(each in printed for each in expected), printed


def test_status_of_a_cron_app_tells_schedule_and_runs(norn, run):
    bad = shapes.run(state="failed", exit_code=3, stderr="no sales file\nmore")
    norn.on("GET", "/api/apps/report", {**shapes.cron_app(), "recent": [bad]})
    printed = run("status", "report").stdout
    assert "0 9 * * * Europe/Berlin, scheduled" in printed
    assert "2026-11-24 09:00:00 Europe/Berlin" in printed
    assert rows(printed)[-1][-6:] == ["3", "1.0", "s", "no", "sales", "file"]


def test_status_of_a_broken_app_tells_its_mistakes(norn, run):
    mistake = {
        "file": "infraspec.yaml",
        "line": 3,
        "column": 7,
        "field": "port",
        "message": "must be a number",
        "hint": "",
    }
    norn.on("GET", "/api/apps/blog", shapes.app(state="broken", mistakes=[mistake]))
    assert "infraspec.yaml:3:7: port: must be a number" in run("status", "blog").stdout


def test_fresh_is_asked_of_the_server(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    run("status", "blog", "--fresh")
    assert norn.last("GET", "/api/apps/blog").query == {"fresh": "1"}


def test_the_token_goes_with_every_request(norn, run):
    norn.on("GET", "/api/apps", shapes.page())
    run("status")
    assert norn.last("GET", "/api/apps").headers["authorization"] == "Bearer norn_secret"


@pytest.mark.parametrize(
    ("words", "environment"),
    [(["logs", "blog"], {}), (["--app", "blog", "logs"], {}), (["logs"], {"NORN_APP": "blog"})],
)
def test_the_app_comes_from_argument_option_or_environment(norn, run, words, environment):
    norn.on("GET", "/api/apps/blog/logs", text("hello"))
    assert run(*words, env=environment).stdout == "hello\n"


def test_the_app_comes_from_the_infraspec_in_the_directory(norn, process, home):
    (home / "infraspec.yaml").write_text("app: blog\nrole: worker\n")
    norn.on("GET", "/api/apps/blog/logs", text("hello"))
    assert process("logs", cwd=home).stdout == b"hello\n"


def test_logs_ask_for_so_many_lines(norn, run):
    norn.on("GET", "/api/apps/blog/logs", text())
    run("logs", "blog", "-n", "7")
    assert norn.last("GET", "/api/apps/blog/logs").query == {"tail": "7"}


def test_logs_hand_on_what_is_asked_for_and_show_times_then(norn, run):
    norn.on("GET", "/api/apps/blog/logs", text())
    run("logs", "blog", "--since", "2h", "--grep", "a b|c", "--release", "3", "--replica", "2", "-p")
    asked = {"since": "2h", "grep": "a b|c", "release": "3", "replica": "2", "previous": "1"}
    assert norn.last("GET", "/api/apps/blog/logs").query == {"tail": "100", "timestamps": "1", **asked}


@pytest.mark.parametrize(("words", "said"), [(["--grep", "x"], "no line of blog matches"), ([], "")])
def test_a_question_that_no_line_matches_is_not_silent(norn, run, words, said):
    norn.on("GET", "/api/apps/blog/logs", text())
    shown = run("logs", "blog", *words)
    assert (shown.stdout, shown.stderr.strip()) == ("", said)


@pytest.mark.parametrize(("words", "shown"), [([], "r1-1 | up\n"), (["-t"], "2026-11-30T17:00:00.5Z r1-1 | up\n")])
def test_followed_lines_have_their_times_when_asked(norn, run, words, shown):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("GET", "/api/apps/blog/logs", objects({"source": "r1-1", "line": "up", "at": "2026-11-30T17:00:00.5Z"}))
    assert run("logs", "blog", "-f", *words).stdout == shown


def test_the_servers_own_logs_take_no_choice_of_lines(run):
    assert "--server has no --grep" in run("logs", "--server", "--grep", "x").stderr


def test_followed_logs_end_when_the_server_ends_them(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    norn.on("GET", "/api/apps/blog/logs", objects({"source": "r-0", "line": "one"}, {"source": "r-0", "line": "two"}))
    assert run("logs", "blog", "-f").stdout == "r-0 | one\nr-0 | two\n"
    assert norn.last("GET", "/api/apps/blog/logs").query["follow"] == "1"


def test_open_prints_the_url(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app())
    assert run("open", "blog").stdout == "http://127.0.0.1:18800\n"


def test_an_app_without_a_url_cannot_be_opened(norn, run):
    norn.on("GET", "/api/apps/queue", shapes.app("queue", role="worker", url=None))
    result = run("open", "queue")
    assert result.exit_code == 1
    assert "queue has no URL: its role is worker, its state is" in result.stderr


def test_a_url_that_is_no_web_address_is_not_opened(norn, run):
    norn.on("GET", "/api/apps/blog", shapes.app(url="file:///etc/passwd"))
    assert run("open", "blog").exit_code == 1


def test_deployments_are_listed(norn, run):
    failed = {
        "id": 12, "app": "blog", "job": 7, "kind": "deploy", "state": "failed", "ref": None, "revision": "b" * 40,
        "release": 5, "actor": "ann", "error": {"sentence": "its tests exited 1"}, "returned_to": 4,
        "created_at": "2026-11-23T10:00:00Z", "ended_at": None, "live": False,
    }  # fmt: skip
    norn.on("GET", "/api/apps/blog/deployments", shapes.page(failed))
    printed = run("deployments", "blog").stdout
    assert rows(printed)[1][:5] == ["12", "deploy", "failed", "5", "b" * 12]
    assert printed.endswith("its tests exited 1\n")


def test_releases_are_named_by_their_number(norn, run):
    release = {
        "app": "blog",
        "n": 4,
        "image": "norn/blog:1",
        "revision": None,
        "created_at": None,
        "live_at": None,
        "live": True,
    }
    norn.on("GET", "/api/apps/blog/releases", shapes.page(release))
    assert run("releases", "blog", "-o", "name").stdout == "4\n"


def test_jobs_alone_lists_them(norn, run):
    norn.on("GET", "/api/jobs", shapes.page(shapes.job()))
    assert rows(run("jobs").stdout)[1][:4] == ["7", "deploy", "blog", "succeeded"]


@pytest.mark.parametrize("command", [["jobs"], ["jobs", "list"]])
def test_jobs_are_filtered_by_the_server(norn, run, command):
    norn.on("GET", "/api/jobs", shapes.page())
    run(*command, "--app", "blog", "--state", "failed", "--kind", "deploy", "--class", "deploy", "-n", "5")
    asked = norn.last("GET", "/api/jobs").query
    assert asked == {"app": "blog", "state": "failed", "kind": "deploy", "class": "deploy", "limit": "5"}


@pytest.mark.parametrize("filters", [["--kind", "deploy"], ["-n", "3"]])
def test_a_filter_of_the_list_before_another_command_is_usage(norn, run, filters):
    result = run("jobs", *filters, "show", "7")
    assert (result.exit_code, norn.asked) == (2, [])
    assert result.stderr.startswith("error: options before show only filter a list\n")


def test_jobs_show_tells_the_steps(norn, run):
    norn.on(
        "GET",
        "/api/jobs/7",
        shapes.job("running", shapes.step(1, "clone-source"), shapes.step(2, "build-image", "running")),
    )
    assert rows(run("jobs", "show", "7").stdout)[-2:] == [
        ["clone-source", "succeeded", "1.5", "s"],
        ["build-image", "running", "1.5", "s"],
    ]


def piece(seq: int, text: str, step: str = "build-image") -> dict[str, Any]:
    """Returns a chunk of a step's output."""
    return {"step": step, "seq": seq, "at": "2026-11-23T10:00:00Z", "stream": "stdout", "text": text}


def test_job_logs_as_json_are_the_servers_pieces(norn, run):
    norn.on("GET", "/api/jobs/7/logs", objects(piece(1, "one\ntw"), piece(2, "o\n")))
    printed = run("jobs", "logs", "7", "--step", "build-image", "-o", "json").stdout.splitlines()
    assert [json.loads(line) for line in printed] == [piece(1, "one\ntw"), piece(2, "o\n")]
    asked = norn.last("GET", "/api/jobs/7/logs")
    assert (asked.query, "application/x-ndjson" in asked.headers["accept"]) == ({"step": "build-image"}, True)


def test_followed_job_logs_as_json_come_once_each_and_to_the_last(norn, run):
    states = iter(["running", "running", "succeeded"])
    norn.on("GET", "/api/jobs/7", lambda _: Answer(shapes.job(next(states))))
    reads = iter([[piece(1, "a")], [piece(1, "a"), piece(2, "b")], [piece(1, "a"), piece(2, "b"), piece(3, "c")]])
    norn.on("GET", "/api/jobs/7/logs", lambda _: objects(*next(reads)))
    printed = run("jobs", "logs", "7", "-f", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in printed] == ["a", "b", "c"]


@pytest.mark.parametrize("follow", [[], ["-f"]])
def test_logs_as_json_and_yaml_are_objects(norn, run, follow):
    norn.on("GET", "/api/apps/blog", shapes.app())
    lines = [{"source": "web-0", "line": "up"}, {"source": "web-1", "line": "\x9bdown"}]
    norn.on("GET", "/api/apps/blog/logs", objects(*lines))
    printed = run("logs", "blog", *follow, "-o", "json").stdout
    assert ([json.loads(line) for line in printed.splitlines()], "\x9b" in printed) == (lines, False)
    assert list(yaml.safe_load_all(run("logs", "blog", *follow, "-o", "yaml").stdout)) == lines


def test_job_logs_of_one_step(norn, run):
    norn.on("GET", "/api/jobs/7/logs", text("built"))
    assert run("jobs", "logs", "7", "--step", "build-image").stdout == "built\n"
    assert norn.last("GET", "/api/jobs/7/logs").query == {"step": "build-image"}


def test_why_tells_what_failed_last_with_its_last_lines(norn, run):
    failed = shapes.reason(
        last_lines=["line 10", "line 11"], returned={"deployment": 13, "release": 4, "state": "live"}
    )
    norn.on("GET", "/api/apps/blog/why", shapes.why(failed))
    printed = run("why", "blog").stdout
    assert printed.startswith("blog is running: release 4 is live, 2 of 2 ready\n\ndeploy of release 5 failed ")
    assert printed.endswith(
        " at test-image (job 7)\n    line 10\n    line 11\nerror: its tests exited 1\nhint: run them at home\n"
        "returned to release 4: deployment 13 is live\n"
    )


def test_why_of_a_healthy_app_finds_nothing(norn, run):
    norn.on("GET", "/api/apps/blog/why", shapes.why())
    assert run("why", "blog").stderr == "hint: its last deploy, and its last run or call, succeeded\n"


def test_why_of_an_app_that_never_stood_says_what_comes_next(norn, run):
    norn.on("GET", "/api/apps/blog/why", shapes.why(state="unforged", hint="norn forge blog"))
    assert "hint: norn forge blog" in run("why", "blog").stderr


def test_why_as_json_is_what_the_server_answered(norn, run):
    norn.on("GET", "/api/apps/blog/why", shapes.why())
    assert json.loads(run("why", "blog", "-o", "json").stdout) == shapes.why()


def test_an_empty_list_says_so_beside_the_data(norn, run):
    norn.on("GET", "/api/jobs", shapes.page())
    result = run("jobs")
    assert (result.stdout, result.stderr) == ("", "none yet\n")


def test_why_tells_the_last_bad_run(norn, run):
    failed = shapes.reason(kind="run", sentence="it exited 3", execution=31, step=None)
    norn.on("GET", "/api/apps/report/why", shapes.why(failed))
    assert "(execution 31)\nerror: it exited 3\n" in run("why", "report").stdout


def test_events_are_listed(norn, run):
    event = {"id": "9-1", "at": "2026-11-23T10:00:00Z", "kind": "job.ended", "app": "blog", "job": 7, "seq": 3,
             "data": {"state": "failed", "error": {"sentence": "no"}}}  # fmt: skip
    norn.on("GET", "/api/events", shapes.page(event))
    assert rows(run("events").stdout)[1][3:] == ["job.ended", "blog", "7", "state", "failed,", "no"]


def test_status_of_the_platforms_own_apps_only(norn, run):
    norn.on("GET", "/api/apps", shapes.page(shapes.app()))
    run("status", "--core")
    assert norn.last("GET", "/api/apps").query["core"] == "true"


def test_status_shows_the_page_of_the_repository_and_a_writable_root(norn, run):
    spec = {"repo": {"repoWeb": "https://git.example/blog"}, "container": {"writable": True}}
    norn.on("GET", "/api/apps/blog", shapes.app(spec=spec))
    printed = rows(run("status", "blog").stdout)
    assert ["web", "page", "https://git.example/blog"] in printed and ["root", "writable"] in printed


def test_specs_lists_what_was_applied(norn, run):
    applied = {"version": 2, "spec": {"app": "blog", "role": "worker"}, "actor": "ada", "at": "2026-11-23T10:00:00Z"}
    norn.on("GET", "/api/apps/blog/specs", shapes.page(applied))
    printed = rows(run("specs", "blog").stdout)
    assert (printed[0], printed[1][0], printed[1][-2:]) == (
        ["VERSION", "APPLIED", "BY", "FIELDS"],
        "2",
        ["app,", "role"],
    )
