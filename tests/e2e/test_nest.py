"""Calls and cron runs in the nest, the whole way, and what happens to them when their worker is killed."""

from __future__ import annotations

import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {
    "NORN_NEST": "auto", "NORN_LEASE_SECONDS": "6", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"
}  # fmt: skip


@pytest.fixture(scope="module")
def nest(stack: Stack) -> None:
    """A Norn whose workers announce the nest."""
    wait_until(lambda: announced(stack), allowed(120), "the workers announce the nest")


@pytest.fixture(scope="module")
def echo(stack: Stack, nest: None) -> str:
    """A deployed function that answers its body."""
    apps.deploy_function(stack, "echo", more="network: none\n")
    return "echo"


def announced(stack: Stack) -> bool:
    workers = {each["name"]: each["capabilities"] for each in stack.json("worker", "list")["items"]}
    return all("runtime:nest" in workers.get(f"{kind}@test", ()) for kind in ("invoke", "cron"))


def notes(stack: Stack, execution: int) -> list[str]:
    """Returns the note of the step that ran the code of an execution."""
    query = (
        "SELECT s.note FROM steps s JOIN func_executions e ON e.job_id = s.job_id "
        "WHERE e.id = %s AND s.name = 'run-container'"
    )
    return [row["note"] for row in stack.rows(query, execution)]


def test_a_call_is_answered_from_the_nest_and_its_record_says_so(stack: Stack, echo: str) -> None:
    made = stack.json("invoke", echo, "--body", "hello\n")
    assert (made["stdout"], notes(stack, made["id"])) == ("hello\nfrom POST /\n", ["succeeded in the nest"])


def test_a_run_whose_worker_is_killed_is_adopted_with_its_output(stack: Stack, nest: None) -> None:
    apps.add_cron(stack, "long", "echo early; sleep 3; echo late")
    stack.norn("forge", "long")
    stack.norn("deploy", "long")
    job = int(stack.json("cron", "run", "long", "--detach")["job"])
    wait_until(lambda: stack.job(job)["begun_at"] is not None, allowed(30), "the run has begun")
    in_nest = str(stack.job(job)["container"]).startswith("nest-")
    stack.kill("cron")
    stack.spawn("cron")
    stack.await_state(job, ["succeeded"], allowed(60))
    (run,) = stack.rows("SELECT state, stdout, attempt FROM cron_executions WHERE job_id = %s", job)
    assert (in_nest, run) == (True, {"state": "succeeded", "stdout": "early\nlate\n", "attempt": 1})
