"""In each of 51 rounds, a worker is frozen between creating and starting a container, until another worker has ended
its job: the code runs only once.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.e2e import zombies
from tests.e2e.stack import Stack

ENVIRONMENT = zombies.ENVIRONMENT
ROUNDS = int(os.environ.get("ROUNDS", "17"))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("point", zombies.POINTS)
def test_the_code_of_a_call_and_of_a_test_runs_once(stack: Stack, point: str) -> None:
    rounds = zombies.Rounds(stack, point)
    rounds.prepare()
    for _ in range(ROUNDS):
        rounds.play()
    written = rounds.runs_written()
    starts, lines = Counter(rounds.started.values()), Counter(Counter(written).values())
    print(f"\nfrozen at {point}: {ROUNDS} calls and {ROUNDS} deploys; {dict(Counter(rounds.states))}; "
          f"starts a job: {dict(starts)}; lines a run: {dict(lines)}")  # fmt: skip
    assert (set(rounds.started.values()), set(Counter(written).values())) == ({1}, {1})
    assert set(rounds.states) == {"invoke succeeded", "deploy succeeded"}
