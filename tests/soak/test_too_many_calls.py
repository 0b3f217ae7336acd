"""More calls than a function can take, by each road (in the nest, which is the container in which crun starts runs, or
by Docker): the excess gets 429 at once, and no memory is reserved twice.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e import too_many_calls
from tests.e2e.fast_road import ROADS, SETTING, await_clean, await_nest, remains
from tests.e2e.stack import Stack

CALLS = int(os.environ.get("CALLS", "2000"))
MEMORY = 512 * 2**20


@pytest.fixture(scope="module", params=ROADS)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a Norn for each road: it has little memory, and 32 calls of a function may wait."""
    return {"NORN_NEST": SETTING[request.param], "NORN_ENGINE_MEMORY": str(MEMORY), "NORN_CALLS_WAITING": "32"}


@pytest.mark.timeout(1700)
def test_the_excess_of_calls_gets_429_within_a_second(stack: Stack) -> None:
    await_nest(stack)
    too_many_calls.deploy(stack, 0.2, concurrency=8, memory="16m", timeout=60)
    before = remains(stack)
    answers = too_many_calls.call_often(stack, CALLS, 64)
    print(f"{CALLS} calls of 64 callers: {too_many_calls.counted(answers)}")
    refused = [each for each in answers if each.status != 200]
    assert {(each.status, each.code, each.retry_after) for each in refused} == {(429, "queue_full", True)}
    assert max(each.seconds for each in refused) <= 1
    assert stack.rows("SELECT 1 FROM func_executions WHERE state <> 'succeeded'") == []
    await_clean(stack, before, 60)


@pytest.mark.timeout(600)
def test_calls_use_no_more_memory_than_the_engine_has(stack: Stack) -> None:
    too_many_calls.deploy(stack, 0.5, concurrency=16, memory="256m", timeout=60)
    with too_many_calls.sampled(stack) as samples:
        answers = too_many_calls.call_often(stack, 60, 20)
    print(f"60 calls of 20 callers: {too_many_calls.counted(answers)}; at most {samples.most / 2**20:g} MiB in "
          f"{samples.taken} samples, runs at once: {dict(samples.together)}")  # fmt: skip
    assert {each.status for each in answers} <= {200, 429}
    assert (samples.most, max(samples.together)) == (MEMORY, 2)
