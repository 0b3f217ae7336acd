"""No request is lost while replicas change: the short proof; `tests/soak/test_loss_free.py` is the long one."""

from __future__ import annotations

import pytest

from tests.e2e import loss_free
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = loss_free.ENVIRONMENT
AT_LEAST = 1500


@pytest.fixture(scope="module")
def clients(stack: Stack) -> loss_free.Clients:
    """What two clients saw of a deploy, a scale up and down, a deploy that failed and a rollback."""
    story = loss_free.Story(stack)
    with loss_free.Clients(story.first()).at_work() as clients:
        story.deploy("release-1")
        story.scale(4)
        story.scale(1)
        story.fail()
        wait_until(story.settled, allowed(30), "the return has ended")
        story.roll_back()
        wait_until(lambda: clients.asked >= AT_LEAST, allowed(30), "enough was asked")
    print(clients.told())
    return clients


def test_no_request_is_lost(clients: loss_free.Clients) -> None:
    assert (clients.asked >= AT_LEAST, dict(clients.failures)) == (True, {})


def test_a_release_that_fails_answers_nobody(clients: loss_free.Clients) -> None:
    assert set(clients.answers) == {"release-0", "release-1"}
