"""Rate limits and limits of simultaneous requests, and the responses beyond them."""

from __future__ import annotations

import pytest

from norn_api.access.limits import Buckets
from norn_api.streaming.concurrency import ConcurrencyLimit
from norn_tasks.domain.errors import TooManyRequests


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_burst_passes_and_the_next_one_waits() -> None:
    buckets = Buckets(burst=2, per_second=0.5, clock=Clock())
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 2]


def test_waiting_long_enough_is_enough() -> None:
    clock = Clock()
    buckets = Buckets(burst=1, per_second=0.5, clock=clock)
    buckets.take("a")
    clock.now += buckets.take("a")
    assert buckets.take("a") == 0


def test_keys_do_not_share_a_bucket() -> None:
    buckets = Buckets(burst=1, per_second=1, clock=Clock())
    buckets.take("a")
    assert buckets.take("b") == 0


def test_processes_that_share_a_limit_allow_no_more_than_it_together() -> None:
    clock = Clock()
    processes = [Buckets(burst=6, per_second=1, clock=clock, processes=3) for _ in range(3)]
    assert sum(each.take("a") == 0 for each in processes for _ in range(6)) == 6
    clock.now += 3
    assert sum(each.take("a") == 0 for each in processes for _ in range(6)) == 3
    lonely = Buckets(burst=1, per_second=1, clock=clock, processes=3)
    assert [lonely.take("a"), round(lonely.take("a"))] == [0, 3]


def test_memory_stays_bounded_whoever_comes() -> None:
    buckets = Buckets(burst=1, per_second=1, clock=Clock())
    for number in range(30_000):
        buckets.take(str(number))
    assert len(buckets._levels) <= 10_000


def test_place_beyond_the_last_is_refused_with_a_time() -> None:
    places = ConcurrencyLimit(1, "streams")
    places.take()
    with pytest.raises(TooManyRequests) as refused:
        places.take()
    assert refused.value.facts["retry_after"] > 0


def test_place_given_back_twice_is_one_place() -> None:
    places = ConcurrencyLimit(1, "streams")
    give_back = places.take()
    give_back()
    give_back()
    places.take()
    with pytest.raises(TooManyRequests):
        places.take()
