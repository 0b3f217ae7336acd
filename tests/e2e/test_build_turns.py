"""Two deploys that build at the same time: the second waits in the queue, reports the build that it waits for, and then
builds.
"""

from __future__ import annotations

import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENDS = ("succeeded", "failed", "error", "dead")


@pytest.mark.timeout(240)
def test_a_deploy_that_waits_for_a_build_holds_no_slot_and_ends_well(stack: Stack) -> None:
    for app in ("first", "second"):
        apps.add_function(stack, app, apps.slow_build(15))
        stack.norn("forge", app)
    first = int(stack.json("deploy", "first", "--detach")["job"])
    wait_until(lambda: stack.rows("SELECT 1 FROM builds"), allowed(40), "the first one builds")
    second = int(stack.json("deploy", "second", "--detach")["job"])
    reason = f"waits for the build of first (job {first}) to end: one build at a time per engine"
    wait_until(lambda: stack.json("jobs", "show", str(second))["waits"] == reason, allowed(15), "the second one waits")
    assert [row["id"] for row in stack.rows("SELECT id FROM jobs WHERE state = 'running' AND kind = 'deploy'")] == [
        first
    ]
    for job in (first, second):
        row = stack.await_state(job, ENDS, allowed(90))
        assert (row["state"], row["error"], row["claims"]) == ("succeeded", None, 1)
