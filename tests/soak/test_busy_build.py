"""During two minutes of a build that uses every core, health responds within 200 ms (p99), and no occurrence is over
five seconds late.
"""

from __future__ import annotations

import pytest

from tests.e2e.busy_build import EVERY, watched
from tests.e2e.stack import Stack

SECONDS = 120


@pytest.mark.timeout(600)
def test_health_and_ticks_stay_quick(stack: Stack) -> None:
    seen = watched(stack, SECONDS)
    print(seen.told())
    assert seen.statuses == {200}
    assert len(seen.lags) >= int(seen.seconds / EVERY) - 1
    assert seen.percentile(99) <= 0.2
    assert max(seen.lags) <= 5.0
