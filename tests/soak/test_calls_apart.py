"""500 calls at the same time, by each road (in the nest, which is the container in which crun starts runs, or by
Docker): none reads a file, body, process, variable or response of another call.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.e2e import apart_calls
from tests.e2e.fast_road import ROADS, SETTING, await_clean, await_nest, remains
from tests.e2e.stack import Stack

CALLS = int(os.environ.get("CALLS", "500"))


@pytest.fixture(scope="module", params=ROADS)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a Norn for each road, whose queue takes all calls."""
    return {"NORN_NEST": SETTING[request.param], "NORN_CALLS_WAITING": str(CALLS), "NORN_MAX_WAITING": str(CALLS),
            "NORN_WORKERS_INVOKE": "16"}  # fmt: skip


@pytest.mark.timeout(1700)
def test_calls_at_once_share_nothing(stack: Stack) -> None:
    await_nest(stack)
    apart_calls.deploy(stack, 12)
    before = remains(stack)
    answers = apart_calls.call_at_once(stack, CALLS)
    mixed = [each for each in answers if not each.apart]
    print(f"{CALLS} calls at once: {dict(Counter(each.status for each in answers))}, {apart_calls.in_nest(stack)} in "
          f"the nest; {len(mixed)} saw something of another call")  # fmt: skip
    assert mixed == []
    assert apart_calls.mixed_records(stack, answers) == []
    await_clean(stack, before, 60)
