"""The end of a call wakes the waiting request, also if the call ended before the request began to wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from norn_tasks.store.broker.live import REMEMBERED, Ends, Live
from tests.servers import Broker, wait_until


@pytest.fixture
def ends(broker: Broker) -> Iterator[Ends]:
    ends = Ends(broker.url)
    heard = ends.expect(1)
    wait_until(lambda: Live(broker.url).announce_end(1) or heard.is_set(), 10, "the subscriber hears")
    ends.forget(1)
    yield ends
    ends.close()


def announce(ends: Ends, broker: Broker, *executions: int) -> None:
    """Announces ends, and returns when the subscriber has received them."""
    last = ends.expect(executions[-1])
    for execution in executions:
        Live(broker.url).announce_end(execution)
    assert last.wait(5)


def test_an_end_that_was_announced_before_anybody_waited_is_known_at_once(ends: Ends, broker: Broker) -> None:
    announce(ends, broker, 7, 8)
    assert ends.expect(7).is_set()
    assert not ends.expect(9).is_set()


def test_only_the_latest_ends_are_remembered(ends: Ends) -> None:
    for execution in range(100, 100 + REMEMBERED + 1):
        ends.hear(execution)
    assert (ends.expect(100).is_set(), ends.expect(101).is_set()) == (False, True)


def test_waiters_are_woken_when_the_broker_is_heard_again_because_ends_were_missed(ends: Ends, broker: Broker) -> None:
    waiting = ends.expect(5)
    assert ends.hears
    broker.client().client_kill_filter(_type="pubsub")
    assert waiting.wait(10)
    assert not ends.announced(5)
    wait_until(lambda: ends.hears, 10, "the subscription is there again")
