"""A function from directory to forge, deploy and call; then calls whose workers and messages are lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import docker
import httpx
import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until


@pytest.fixture(scope="module")
def echo(stack: Stack) -> Iterator[str]:
    """A deployed function that returns the body of its request."""
    apps.deploy_function(stack, "echo")
    yield "echo"


def _headers(stack: Stack, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}", **more}


def test_a_call_answers_with_the_containers_stdout(stack: Stack, echo: str) -> None:
    done = stack.norn("invoke", echo, "--body", "hello\n")
    assert done.stdout == b"hello\nfrom POST /\n"


def test_the_answer_is_binary_safe(stack: Stack, echo: str) -> None:
    body = bytes(range(256)) * 400
    done = stack.norn("invoke", echo, "--body", "-", stdin=body)
    assert done.stdout.startswith(body)


def test_fn_answers_over_http_with_the_invocation_id(stack: Stack, echo: str) -> None:
    answer = httpx.put(f"{stack.url}/fn/{echo}/a/b", content=b"x", headers=_headers(stack), timeout=30)
    assert (answer.status_code, answer.content) == (200, b"xfrom PUT /a/b\n")
    record = stack.rows("SELECT state FROM func_executions WHERE id = %s", int(answer.headers["X-Norn-Invocation-Id"]))
    assert record == [{"state": "succeeded"}]


def test_a_recorded_call_is_made_again_and_answers(stack: Stack, echo: str) -> None:
    made = stack.json("invoke", echo, "--body", "once more\n")
    assert stack.norn("fn", "replay", str(made["id"])).stdout == b"once more\nfrom POST /\n"
    again = stack.json("fn", "replay", str(made["id"]))
    assert (again["stdout"], again["id"] > made["id"]) == (made["stdout"], True)


def test_a_call_leaves_no_container_behind(stack: Stack, echo: str) -> None:
    stack.norn("invoke", echo, "--body", "x")
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    its = [f"norn.io/instance={instance}", f"norn.io/app={echo}"]
    left = client.containers.list(all=True, ignore_removed=True, filters={"label": its})
    assert left == []


def _accept_async(stack: Stack, name: str, count: int) -> list[int]:
    with httpx.Client(headers=_headers(stack, Prefer="respond-async"), timeout=30) as client:
        answers = [client.post(f"{stack.url}/fn/{name}", content=str(n).encode()) for n in range(count)]
    assert {answer.status_code for answer in answers} == {202}
    return [int(answer.json()["job"]) for answer in answers]


def _ended(stack: Stack, jobs: list[int]) -> bool:
    query = "SELECT count(*) FROM jobs WHERE id = ANY(%s) AND state IN ('queued', 'running')"
    return bool(stack.rows(query, jobs)[0]["count"] == 0)


def test_flushall_loses_no_call(stack: Stack, echo: str) -> None:
    """There are 100 queued calls and a broker that loses everything: each call ends `succeeded` within 60 s, and its
    code begins once.
    """
    assert stack.broker is not None
    jobs = _accept_async(stack, echo, 100)
    stack.broker.client().flushall()
    flushed = time.monotonic()
    answer = httpx.post(f"{stack.url}/fn/{echo}", content=b"now", headers=_headers(stack), timeout=60)
    assert (answer.status_code, time.monotonic() - flushed < allowed(10)) == (200, True)
    left = allowed(60) - (time.monotonic() - flushed)
    wait_until(lambda: _ended(stack, jobs), left, "100 calls have ended after FLUSHALL")
    rows = stack.rows("SELECT state, runs FROM jobs WHERE id = ANY(%s)", jobs)
    assert rows == [{"state": "succeeded", "runs": 1}] * 100


def _begun(stack: Stack, job: int) -> bool:
    return stack.job(job)["begun_at"] is not None


def test_kill_9_of_the_worker_during_an_asynchronous_call(stack: Stack) -> None:
    """The container continues and another worker takes it over: one run, its true response, and nothing is left."""
    apps.deploy_function(stack, "slow", apps.slow_function(8))
    (job,) = _accept_async(stack, "slow", 1)
    wait_until(lambda: _begun(stack, job), allowed(20), "the code has begun")
    stack.kill("invoke")
    stack.spawn("invoke", "invoke")
    row = stack.await_state(job, ["succeeded"], allowed(75))
    answer = stack.rows("SELECT response FROM execution_io WHERE execution = %s", row["execution"])[0]["response"]
    assert (row["runs"], bytes(answer)) == (1, b"0done\n")


def test_kill_9_of_the_worker_during_a_synchronous_call(stack: Stack) -> None:
    """Norn cannot know whether the call ended: the response says so, and the call is never repeated."""
    apps.deploy_function(stack, "slow-sync", apps.slow_function(20), "function:\n  timeout: 60\n")
    with httpx.Client(headers=_headers(stack), timeout=120) as client:
        answers: list[httpx.Response] = []
        caller = threading.Thread(target=lambda: answers.append(client.post(f"{stack.url}/fn/slow-sync", content=b"x")))
        caller.start()
        query = "SELECT id FROM jobs WHERE app = 'slow-sync' AND begun_at IS NOT NULL AND kind = 'invoke'"
        wait_until(lambda: stack.rows(query), allowed(20), "the code has begun")
        stack.kill("invoke")
        stack.spawn("invoke", "invoke")
        caller.join(allowed(70))
    job = stack.rows(query)[0]["id"]
    row = stack.job(job)
    assert (row["state"], row["error"]["code"], row["runs"]) == ("error", "worker_lost", 1)
    assert [answer.status_code for answer in answers] == [502]
