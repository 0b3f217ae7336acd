"""During a build that burns every core the API answers and every tick is decided; how quickly, the soak measures."""

from __future__ import annotations

import pytest

from tests.e2e.busy_build import EVERY, watched
from tests.e2e.stack import Stack

SECONDS = 25


@pytest.mark.timeout(300)
def test_the_api_answers_and_no_tick_is_lost(stack: Stack) -> None:
    seen = watched(stack, SECONDS)
    print(seen.told())
    assert (seen.statuses, seen.seconds >= SECONDS) == ({200}, True)
    assert len(seen.lags) >= int(seen.seconds / EVERY) - 1
