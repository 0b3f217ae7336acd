"""No request is lost while replicas change: ten deploys, a scale 2 → 4 → 1, a failing deploy and a rollback."""

from __future__ import annotations

import pytest

from tests.e2e import loss_free
from tests.e2e.stack import Stack
from tests.servers import wait_until

ENVIRONMENT = loss_free.ENVIRONMENT
AT_LEAST = 20_000


@pytest.mark.timeout(1200)
def test_of_twenty_thousand_requests_none_is_lost(stack: Stack) -> None:
    story = loss_free.Story(stack)
    with loss_free.Clients(story.first()).at_work() as clients:
        for n in range(1, 11):
            story.deploy(f"release-{n}")
        story.scale(4)
        story.scale(1)
        story.fail()
        wait_until(story.settled, 60, "the return has ended")
        story.roll_back()
        wait_until(lambda: clients.asked >= AT_LEAST, 300, "enough was asked")
    print(f"\n{clients.told()}")
    assert (dict(clients.failures), "broken" in clients.answers) == ({}, False)
    assert clients.asked >= AT_LEAST
