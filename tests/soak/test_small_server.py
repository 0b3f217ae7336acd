"""A server of 2 GiB under load for several minutes: six builds succeed, and a cron app that is due every minute runs on
time.
"""

from __future__ import annotations

import pytest

from tests.e2e.small_server import ENVIRONMENT, busy, hanging, occurrences
from tests.e2e.stack import Stack
from tests.servers import wait_until

__all__ = ["ENVIRONMENT"]

SECONDS = 45
"""Seconds that each of the six builds takes."""


@pytest.mark.timeout(1800)
def test_everybody_gets_on_beside_builds_and_runs_that_hang(stack: Stack) -> None:
    since = stack.rows("SELECT clock_timestamp() AS now")[0]["now"]
    seen, jobs = busy(stack, "* * * * *", SECONDS)
    print(f"\n{seen.told()}")
    assert seen.rollback <= 20
    for job in jobs:
        assert stack.await_state(job, ["succeeded", "failed", "error", "expired"], 600)["state"] == "succeeded"
    wait_until(lambda: len(occurrences(stack, since)) >= 6, 600, "six minutes have passed")
    seen_all = occurrences(stack, since)
    print(f"{len(seen_all)} minutes, the latest run began {max(each['late'] for each in seen_all):.1f} s late")
    assert {(each["verdict"], each["state"]) for each in seen_all} == {("fired", "succeeded")}
    assert max(each["late"] for each in seen_all) < 60
    assert hanging(stack) == 3
