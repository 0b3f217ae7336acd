"""A worker is frozen between creating and starting a container, until another has ended its job: the code ran only
once. A soak test does so more often.
"""

from __future__ import annotations

import pytest

from tests.e2e import zombies
from tests.e2e.stack import Stack

ENVIRONMENT = zombies.ENVIRONMENT


@pytest.mark.timeout(300)
def test_the_code_of_a_call_and_of_a_test_runs_once(stack: Stack) -> None:
    rounds = zombies.Rounds(stack, "begun")
    rounds.prepare()
    rounds.play()
    written = rounds.runs_written()
    assert (set(rounds.started.values()), len(written)) == ({1}, 1)
    assert rounds.states == ["invoke succeeded", "deploy succeeded"]
