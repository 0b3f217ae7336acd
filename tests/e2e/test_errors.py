"""Every kind of error of a running Norn: the sentence, the code and the hint, in the API and in the output of
`norn`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import httpx
import pytest

from tests.e2e import apps
from tests.e2e.refusals import Printed, Refusal, Told, ask, error_lines, norn, told
from tests.e2e.stack import Stack
from tests.servers import allowed

ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "3", "NORN_ENGINE_PATIENCE": "3"}

# If the kernel's out-of-memory killer ends the whole container, the engine may miss the cause. So the container lives a
# second longer.
FAILS = """
FROM busybox:stable
CMD ["sh", "-c", "case $NORN_REQUEST_BODY in \\
  exit) echo half; echo boom >&2; exit 1;; \\
  missing) nosuch;; \\
  hungry) tail /dev/zero; sleep 1; exit 137;; \\
  chatty) yes;; \\
esac"]
"""


@pytest.fixture(scope="module")
def deploys(stack: Stack) -> dict[str, int]:
    """Every deploy of this module, all accepted and some running: the jobs by app."""
    apps.add_function(stack, "fails", FAILS, "function:\n  memory: 16m\n  maxOutput: 1KiB\n  maxBody: 10\n")
    apps.add_function(stack, "slow", apps.slow_function(60), "function:\n  timeout: 2\n")
    apps.add_function(stack, "bare")
    apps.add_function(stack, "forged")
    apps.add_cron(stack, "tick", "echo out; echo bad >&2; exit 1")
    stack.add_app("broken", BROKEN, PLAIN)
    for app in FAILING:
        stack.add_app(app.name, f"app: {app.name}\n{app.spec}", app.files)
    names = ("fails", "slow", "tick", *(app.name for app in FAILING))
    ask(stack, "POST", "/api/apps/forged/forge", json={})
    return {name: _forge_and_deploy(stack, name) for name in names}


def _forge_and_deploy(stack: Stack, name: str) -> int:
    """Requests a forge and then a deploy, and returns the deploy's job."""
    forge = ask(stack, "POST", f"/api/apps/{name}/forge", json={})
    deploy = ask(stack, "POST", f"/api/apps/{name}/deploy", json={})
    assert (forge.status_code, deploy.status_code) == (202, 202), deploy.text
    return int(deploy.json()["job"])


@pytest.fixture(scope="module")
def world(stack: Stack, deploys: dict[str, int]) -> Stack:
    """A Norn with two functions that fail on demand, a cron app `tick` that fails, and apps without a release or
    without infrastructure.
    """
    for name in ("fails", "slow", "tick"):
        stack.await_state(deploys[name], ["succeeded"], allowed(60))
    return stack


# A broken spec

BROKEN = "app: broken\nrole: webserver\nport: http\nreplica: 2\n"
BROKEN_MISTAKES = [
    (3, 7, "port", '"http" is not a whole number from 1 to 65535', "write it in digits"),
    (4, 1, "replica", "there is no such field", "did you mean replicas?"),
]


def mistakes_of(answer: dict[str, Any]) -> list[tuple[object, ...]]:
    """Returns place and message of each mistake in a problem document."""
    return [tuple(each[key] for key in ("line", "column", "field", "message", "hint")) for each in answer["mistakes"]]


def mistake_lines(file: str) -> str:
    """Returns the lines that `norn` prints for the mistakes of the broken spec."""
    return "".join(f"{file}:{line}:{col}: {name}: {what} ({hint})\n" for line, col, name, what, hint in BROKEN_MISTAKES)


def test_applying_a_broken_spec_tells_all_mistakes(world: Stack) -> None:
    answer = ask(world, "PUT", "/api/apps/other", content=BROKEN, headers={"Content-Type": "text/yaml"})
    assert told(answer).code == "spec_invalid"
    assert (answer.status_code, mistakes_of(answer.json())) == (422, BROKEN_MISTAKES)


def test_deploying_a_broken_directory_tells_all_mistakes(world: Stack) -> None:
    answer = ask(world, "POST", "/api/apps/broken/deploy", json={})
    assert told(answer) == Told(
        422,
        "spec_invalid",
        'broken/infraspec.yaml has 2 mistakes: broken/infraspec.yaml:3:7: port: "http" is not a whole number from 1 to '
        "65535",
        "write it in digits",
    )
    assert mistakes_of(answer.json()) == BROKEN_MISTAKES


def test_norn_apply_of_a_broken_directory_names_file_line_and_column(world: Stack) -> None:
    directory = world.apps / "broken"
    assert norn(world, "apply", str(directory)) == Printed(1, mistake_lines(f"{directory}/infraspec.yaml"))


@pytest.mark.parametrize("verb", ["forge", "deploy"])
def test_norn_with_a_broken_directory_names_file_line_and_column(world: Stack, verb: str) -> None:
    assert norn(world, verb, "broken") == Printed(1, mistake_lines("broken/infraspec.yaml"))


# Requests that are refused before any change

CRON_HINT = "write minute hour day month weekday, such as 0 9 * * 1-5"
NO_APP = Told(
    404, "app_not_found", "there is no app 'nosuch'",
    "norn status lists the apps; norn deploy DIR makes one of a directory with an infraspec.yaml",
)  # fmt: skip
NO_ROLE = Told(409, "wrong_role", "fails is a function: it has no replicas", "norn status fails")
OVER = Told(
    413, "body_too_large", "the body of a call of fails is over its limit of 10 bytes",
    "raise function.maxBody in its infraspec.yaml",
)  # fmt: skip
MANY = Told(422, "invalid_request", "replicas: it is more than 100", "write 100 or less")
MINUTE = Told(422, "invalid_request", 'the schedule\'s minute "61" is not good: it may be 0 to 59', CRON_HINT)
WORDS = Told(422, "invalid_request", '"every monday" is not a schedule: it has 2 fields in place of five', CRON_HINT)
ZONE = Told(
    422, "invalid_request", '"Mars/Olympus" is not a time zone of the IANA database',
    "write a name such as Europe/Berlin, or UTC",
)  # fmt: skip
NOT_FORGED = Told(409, "not_forged", "bare has no infrastructure yet", "norn forge bare")
NOT_DEPLOYED = Told(409, "not_deployed", "forged has no successful release yet", "norn deploy forged")
SCHEDULE = "/api/apps/tick/cron/schedule"
ELEVEN = {"content": b"x" * 11}
ON_MARS = {"schedule": "0 9 * * *", "timezone": "Mars/Olympus"}

REFUSALS = [
    Refusal("GET", "/api/apps/nosuch", "status|nosuch", NO_APP, 3),
    Refusal("POST", "/api/apps/nosuch/forge", "forge|nosuch", NO_APP, 3, {"json": {}}),
    Refusal("POST", "/api/apps/nosuch/deploy", "deploy|nosuch", NO_APP, 3, {"json": {}}),
    Refusal("POST", "/api/apps/nosuch/cron/trigger", "cron|run|nosuch", NO_APP, 3, {"json": {}}),
    Refusal("POST", "/fn/nosuch", "invoke|nosuch", NO_APP, 3),
    Refusal("GET", "/api/apps/nosuch/logs", "logs|nosuch", NO_APP, 3),
    Refusal("POST", "/api/apps/fails/scale", "scale|fails|2", NO_ROLE, 5, {"json": {"replicas": 2}}),
    Refusal("POST", "/api/apps/fails/scale", "scale|fails|101", MANY, 1, {"json": {"replicas": 101}}),
    Refusal("PUT", SCHEDULE, "cron|set-schedule|tick|61 * * * *", MINUTE, 1, {"json": {"schedule": "61 * * * *"}}),
    Refusal("PUT", SCHEDULE, "cron|set-schedule|tick|every monday", WORDS, 1, {"json": {"schedule": "every monday"}}),
    Refusal("PUT", SCHEDULE, "cron|set-schedule|tick|0 9 * * *|--timezone|Mars/Olympus", ZONE, 1, {"json": ON_MARS}),
    Refusal("POST", "/fn/fails", "invoke|fails|--body|xxxxxxxxxxx", OVER, 1, ELEVEN),
    Refusal("POST", "/api/apps/fails/invoke", "invoke|fails|--async|--body|xxxxxxxxxxx", OVER, 1, ELEVEN),
    Refusal("POST", "/api/apps/bare/deploy", "deploy|bare", NOT_FORGED, 5, {"json": {}}),
    Refusal("POST", "/fn/forged", "invoke|forged", NOT_DEPLOYED, 5),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_the_api_refuses(world: Stack, refusal: Refusal) -> None:
    assert refusal.asked(world) == refusal.told


@pytest.fixture(scope="module")
def printed(world: Stack) -> dict[str, Printed]:
    """The output of `norn` for each refused request, by its command line; four commands run at a time."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip([r.typed for r in REFUSALS], pool.map(lambda r: r.run(world), REFUSALS), strict=True))


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_norn_tells_the_refusal(printed: dict[str, Printed], refusal: Refusal) -> None:
    assert printed[refusal.typed] == refusal.printed


def test_a_refused_request_leaves_no_job(world: Stack) -> None:
    before = world.rows("SELECT count(*) FROM jobs WHERE class <> 'observe'")
    for refusal in REFUSALS:
        refusal.asked(world)
    assert world.rows("SELECT count(*) FROM jobs WHERE class <> 'observe'") == before


@pytest.mark.parametrize(
    ("body", "sentence", "hint"),
    [
        ({"replicas": "2"}, "replicas: it is not a whole number", "write digits, without quotes"),
        ({"replicas": 2, "size": 1}, "size: there is no such field", "leave it out, or check its spelling"),
        ({}, "replicas: give either replicas or reset", 'send {"replicas": 3} or {"reset": true}'),
    ],
)
def test_a_field_of_the_wrong_type_is_named(world: Stack, body: dict[str, Any], sentence: str, hint: str) -> None:
    answer = ask(world, "POST", "/api/apps/fails/scale", json=body)
    assert told(answer) == Told(422, "invalid_request", sentence, hint)


def test_a_word_in_place_of_a_number_is_usage(world: Stack) -> None:
    wanted = error_lines("'many' is not a number of replicas", "norn scale blog 2")
    assert norn(world, "scale", "fails", "many") == Printed(2, wanted + "\n")


# Authentication and permissions

WAY_IN = "set NORN_TOKEN (over HTTP: `Authorization: Bearer norn_…`); an admin makes one: norn token create NAME"
UNKNOWN = Told(401, "unauthenticated", "this token is not known here, or was revoked", WAY_IN)
NOBODY = Told(401, "unauthenticated", "this needs a token", WAY_IN)
NO_SCOPE = Told(
    403, "forbidden", "your token lacks the scope deploy, which this needs",
    "ask an admin for one that has it: norn token create NAME --scope deploy",
)  # fmt: skip
OTHER_APP = Told(
    403, "forbidden", "your token does not reach fails",
    "ask an admin for one that does: norn token create NAME --only APP",
)  # fmt: skip


def token(stack: Stack, name: str, scope: str, *only: str) -> str:
    """Makes a token."""
    body = {"name": name, "scopes": [scope], "apps": list(only) or None}
    made = ask(stack, "POST", "/api/tokens", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


@cache
def _revoked(stack: Stack) -> str:
    made = ask(stack, "POST", "/api/tokens", json={"name": "gone", "scopes": ["admin"], "apps": None}).json()
    assert ask(stack, "DELETE", f"/api/tokens/{made['id']}").status_code == 204
    return str(made["token"])


CALLERS: list[tuple[str, Callable[[Stack], str], Told]] = [
    ("no token", lambda _: "", NOBODY),
    ("a token that was never made", lambda _: "norn_wrong", UNKNOWN),
    ("a revoked token", _revoked, UNKNOWN),
    ("a reader's token", cache(lambda stack: token(stack, "reader", "read")), NO_SCOPE),
    ("another app's token", cache(lambda stack: token(stack, "other", "deploy", "tick")), OTHER_APP),
]


@pytest.mark.parametrize(("who", "expected"), [each[1:] for each in CALLERS], ids=[each[0] for each in CALLERS])
def test_the_api_refuses_who_may_not(world: Stack, who: Callable[[Stack], str], expected: Told) -> None:
    answer = ask(world, "POST", "/api/apps/fails/deploy", token=who(world), json={})
    assert told(answer) == expected


@pytest.mark.parametrize(("who", "expected"), [each[1:] for each in CALLERS], ids=[each[0] for each in CALLERS])
def test_norn_tells_who_may_not(world: Stack, who: Callable[[Stack], str], expected: Told) -> None:
    wanted = Printed(4, error_lines(expected.sentence, expected.hint, expected.code) + "\n")
    assert norn(world, "deploy", "fails", token=who(world)) == wanted


# A deploy that fails


@dataclass(frozen=True)
class Failing:
    """An app whose deploy fails: its spec after the first line, its files, and the expected error."""

    name: str
    spec: str
    files: dict[str, str]
    step: str
    code: str
    sentence: str
    hint: str

    def __str__(self) -> str:
        return self.name


OUTPUT = "norn jobs logs {job} has the output"
COMMAND = "check `command` in infraspec.yaml, and CMD and ENTRYPOINT in the Dockerfile"
PLAIN = {"Dockerfile": "FROM busybox:stable\n"}
WEB = "role: webserver\nport: 8080\n"
FAILING = [
    Failing(
        "no-dockerfile", "role: function\n", {}, "build-image", "source_error", "there is no Dockerfile in the source",
        "add it, or name the right one in build.dockerfile",
    ),
    Failing(
        "bad-build", "role: function\n", {"Dockerfile": "FROM busybox:stable\nRUN echo oh no; exit 3\n"},
        "build-image", "build_failed", "the build failed at step 2, RUN echo oh no; exit 3: it exited 3: oh no", OUTPUT,
    ),
    Failing(
        "bad-test", "role: function\nbuild:\n  test: 'echo 1 of 2 failed; exit 1'\n", PLAIN, "test-image",
        "tests_failed", "build.test failed: it exited 1: 1 of 2 failed", OUTPUT,
    ),
    Failing(
        "no-test", "role: function\nbuild:\n  test: pytest -q\n", PLAIN, "test-image", "tests_failed",
        "build.test failed: its command was not found in the image (exit 127): the image has no program pytest",
        "the command is not in the image: dev dependencies may be missing; see build.testStage",
    ),
    Failing(
        "exits", f"{WEB}command: 'echo cannot bind >&2; sleep 0.3; exit 1'\n", PLAIN, "await-rollout",
        "rollout_failed", "the new container exited 1 after 0.3 s: cannot bind", OUTPUT,
    ),
    Failing(
        "no-program", "role: worker\ncommand: [nosuch]\n", PLAIN, "await-rollout", "rollout_failed",
        'the image has no program "nosuch" (exit 127)', COMMAND,
    ),
    Failing(
        "deaf", f"{WEB}command: sleep 600\n", PLAIN, "await-rollout", "rollout_failed",
        "nothing listened on port 8080 for 3 s: it listens on no port; it wrote nothing",
        "the app must listen on 0.0.0.0:8080, not on 127.0.0.1 (the variable PORT has the number)",
    ),
    Failing(
        "unhealthy", f"{WEB}healthcheck: /health\ncommand: mkdir /www; exec httpd -f -p 8080 -h /www\n", PLAIN,
        "await-rollout", "rollout_failed", "GET /health on port 8080 answered 404 for 3 s: the app has no such page",
        "correct the path of the healthcheck, or add the page; "
        "healthcheck: /health in infraspec.yaml must answer 2xx or 3xx",
    ),
]  # fmt: skip


@pytest.mark.parametrize("app", FAILING, ids=str)
def test_norn_tells_why_a_deploy_failed(stack: Stack, deploys: dict[str, int], app: Failing) -> None:
    job = deploys[app.name]
    wanted = error_lines(f"{app.step}: {app.sentence}", app.hint.format(job=job), app.code)
    code, shown = norn(stack, "jobs", "watch", str(job)).end
    assert (code, _untimed(shown)) == (6, wanted)


def _untimed(text: str) -> str:
    """Returns the text without the single duration that depends on the machine's load."""
    return re.sub(r"exited 1 after [0-9.]+ s", "exited 1 after 0.3 s", text)


@pytest.mark.parametrize("app", FAILING, ids=str)
def test_the_api_tells_why_a_deploy_failed(stack: Stack, deploys: dict[str, int], app: Failing) -> None:
    job = ask(stack, "GET", f"/api/jobs/{deploys[app.name]}").json()
    error = {"code": app.code, "sentence": app.sentence, "hint": app.hint.format(job=job["id"])}
    step = next(step for step in job["steps"] if step["state"] == "failed")
    deployment = ask(stack, "GET", f"/api/deployments/{job['deployment']}").json()
    assert (job["state"], step["name"], deployment["state"]) == ("failed", app.step, "failed")
    found = [job["error"], step["error"], deployment["error"]]
    assert [each | {"sentence": _untimed(each["sentence"])} for each in found] == [error] * 3


@pytest.mark.parametrize(
    ("name", "step", "line"),
    [("bad-build", "build-image", "oh no"), ("bad-test", "test-image", "1 of 2 failed"),
     ("exits", "await-rollout", "cannot bind")],
)  # fmt: skip
def test_what_it_wrote_is_in_the_steps_log_once(
    stack: Stack, deploys: dict[str, int], name: str, step: str, line: str
) -> None:
    log = ask(stack, "GET", f"/api/jobs/{deploys[name]}/logs?step={step}").text
    assert log.splitlines().count(line) == 1


# A run that fails


def test_a_cron_run_that_exits_1_in_norn(world: Stack) -> None:
    done = norn(world, "cron", "run", "tick")
    run = world.json("cron", "history", "tick")["items"][0]["execution"]
    wanted = error_lines(
        f"execution {run} failed: it exited 1: bad", f"norn cron logs tick {run} has its output", "exit"
    )
    assert done.end == (6, wanted)


def test_a_cron_run_that_exits_1_in_the_api(world: Stack) -> None:
    run = ask(world, "GET", "/api/apps/tick/cron").json()["last"][0]
    assert (run["state"], run["cause"], run["exit_code"], run["stderr"]) == ("failed", "exit", 1, "bad\n")
    assert (run["sentence"], run["hint"]) == ("it exited 1: bad", f"norn cron logs tick {run['id']} has its output")


@dataclass(frozen=True)
class Ending:
    """A call that fails: the function and the body, the state of its record, and the response of `/fn`."""

    app: str
    body: str
    state: str
    told: Told

    def __str__(self) -> str:
        return self.body


@dataclass(frozen=True)
class Called:
    """The results of a call by `/fn` and by `norn invoke`."""

    answer: httpx.Response
    typed: subprocess.CompletedProcess[bytes]


ITS_OUTPUT = "norn fn show {execution} has its output"
NOT_THERE = "its command was not found in the image (exit 127)"
CHECK = "check command in infraspec.yaml and CMD in the Dockerfile"
ENDINGS = [
    Ending("fails", "exit", "failed", Told(502, "function_failed", "it exited 1", ITS_OUTPUT)),
    Ending("fails", "missing", "failed", Told(502, "not_runnable", NOT_THERE, CHECK)),
    Ending("slow", "slow", "timed_out", Told(504, "timed_out", "it did not end within 2 s",
                                             "raise function.timeout in its infraspec.yaml, or make it quicker")),
    Ending("fails", "hungry", "oom_killed", Told(502, "oom_killed", "it used more than its 16 MiB of memory",
                                                 "raise function.memory in its infraspec.yaml")),
    Ending("fails", "chatty", "failed", Told(502, "output_too_large", "it wrote more than its 1024 bytes of output",
                                             "raise function.maxOutput in its infraspec.yaml, or write less")),
]  # fmt: skip


@pytest.fixture(scope="module")
def calls(world: Stack) -> dict[str, Called]:
    """Each call of ENDINGS, made by HTTP and by `norn`; four calls run at a time."""
    with ThreadPoolExecutor(4) as pool:
        asked = {e.body: pool.submit(ask, world, "POST", f"/fn/{e.app}", content=e.body) for e in ENDINGS}
        typed = {
            e.body: pool.submit(world.norn, "-o", "json", "invoke", e.app, "-b", e.body, check=False) for e in ENDINGS
        }
        return {body: Called(asked[body].result(), typed[body].result()) for body in asked}


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_fn_tells_how_a_call_failed(calls: dict[str, Called], ending: Ending) -> None:
    answer = calls[ending.body].answer
    hint = ending.told.hint.format(execution=answer.headers["X-Norn-Invocation-Id"])
    assert told(answer) == replace(ending.told, sentence=f"{ending.app}: {ending.told.sentence}", hint=hint)


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_norn_invoke_tells_how_a_call_failed(calls: dict[str, Called], ending: Ending) -> None:
    typed = calls[ending.body].typed
    record = json.loads(typed.stdout)
    hint = ending.told.hint.format(execution=record["id"])
    wanted = error_lines(f"execution {record['id']} {ending.state}: {ending.told.sentence}", hint, record["cause"])
    assert (typed.returncode, typed.stderr.decode()) == (6, wanted + "\n")
    assert (record["state"], record["sentence"], record["hint"]) == (ending.state, ending.told.sentence, hint)


def test_what_a_failed_call_wrote_is_in_its_record(calls: dict[str, Called]) -> None:
    record = json.loads(calls["exit"].typed.stdout)
    assert (record["stdout"], record["stderr"], record["exit_code"]) == ("half\n", "boom\n", 1)


def test_a_timeout_is_told_soon_though_the_code_ignores_sigterm(calls: dict[str, Called]) -> None:
    assert 2 <= calls["slow"].answer.elapsed.total_seconds() < 2 + allowed(3)
