"""No request is lost while replicas change: this is the short proof; `tests/soak/test_loss_free.py` is the long one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import loss_free
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = loss_free.ENVIRONMENT
AT_LEAST = 1500
RATE, LATE_SECONDS = 40, 10
"""Lower than in the long test, which sends a hundred requests a second on a quiet machine: other tests run beside this
one.
"""

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def why() -> dict[str, Any]:
    """The output of `norn why` after the deploy that failed."""
    return {}


@pytest.fixture(scope="module")
def clients(stack: Stack, why: dict[str, Any]) -> loss_free.Clients:
    """The results of two clients during a deploy, a scale up and down, a failed deploy and a rollback."""
    story = loss_free.Story(stack)
    with loss_free.Clients(story.first(), rate=RATE, late=allowed(LATE_SECONDS)).at_work() as clients:
        story.deploy("release-1")
        story.scale(4)
        story.scale(1)
        story.fail()
        wait_until(story.settled, allowed(30), "the return has ended")
        why.update(stack.json("why", loss_free.APP))
        story.roll_back()
        wait_until(lambda: clients.asked >= AT_LEAST, allowed(30), "enough was asked")
    print(clients.told())
    return clients


def test_no_request_is_lost(clients: loss_free.Clients) -> None:
    assert (clients.asked >= AT_LEAST, dict(clients.failures)) == (True, {})


def test_a_release_that_fails_answers_nobody(clients: loss_free.Clients) -> None:
    assert set(clients.answers) == {"release-0", "release-1"}


def test_why_it_failed_is_told_after_its_container_is_gone(clients: loss_free.Clients, why: dict[str, Any]) -> None:
    (reason,) = why["reasons"]
    assert (reason["kind"], reason["step"], reason["release"]) == ("deploy", "await-rollout", 3)
    assert reason["sentence"] == "GET /health on port 8080 answered 500 for 6 s: serving broken"
    assert reason["last_lines"][-1] == "serving broken"
    assert (reason["returned"]["release"], reason["returned"]["state"], why["live"]["release"]) == (2, "deployed", 2)
