"""An engine with 512 MiB for apps, and a function of 256 MiB: never more than two of its calls run at once."""

from __future__ import annotations

import pytest

from tests.e2e import too_many_calls
from tests.e2e.fast_road import await_nest
from tests.e2e.stack import Stack

ENVIRONMENT = {"NORN_NEST": "auto", "NORN_ENGINE_MEMORY": "512m"}


@pytest.mark.timeout(600)
def test_calls_use_no_more_memory_than_the_engine_has(stack: Stack) -> None:
    await_nest(stack, ("invoke",))
    too_many_calls.deploy(stack, 0.3, concurrency=16, memory="256m", timeout=60)
    with too_many_calls.sampled(stack) as samples:
        answers = too_many_calls.call_often(stack, 20, 20)
    assert {each.status for each in answers} <= {200, 429}
    assert (samples.most, max(samples.together)) == (512 * 2**20, 2)
