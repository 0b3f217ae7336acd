"""A busy worker counts as healthy: a build of four minutes on the only deploy worker is never restarted."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack

ENVIRONMENT = {"NORN_WORKERS_DEPLOY": "1"}
SECONDS = 240


@pytest.mark.timeout(480)
def test_a_build_of_four_minutes_is_never_restarted(stack: Stack) -> None:
    """The job is claimed once, the build runs once, and the worker is reported healthy."""
    apps.add_function(stack, "patient", apps.slow_build(SECONDS))
    stack.norn("forge", "patient")
    job = int(stack.json("deploy", "patient", "--detach")["job"])
    row = stack.await_state(job, ["succeeded", "failed", "dead", "error"], SECONDS + 150)
    said = stack.rows("SELECT string_agg(chunk, '' ORDER BY seq) AS said FROM step_logs WHERE job_id = %s", job)
    assert (row["state"], row["claims"]) == ("succeeded", 1)
    assert said[0]["said"].count(f"building {SECONDS}\n") == 1
    answer = httpx.get(f"{stack.url}/api/health", timeout=5).json()
    assert {check["name"]: check["status"] for check in answer["checks"]}["worker:deploy"] == "ok"
