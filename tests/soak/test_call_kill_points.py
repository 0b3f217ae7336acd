"""kill -9 of the worker, and of the nest (the container in which crun starts runs), at every point of a call: the code
begins at most once, and nothing is left behind.

With the environment variable STRUCK, `worker` or `nest`, only one of them is killed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.e2e import kill_points, killed_calls
from tests.e2e.fast_road import await_clean, await_nest, remains
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness

ENVIRONMENT = kill_points.ENVIRONMENT
STRUCK = os.environ.get("STRUCK", " ".join(kill_points.STRUCK)).split()
CASES = list(itertools.product(STRUCK, kill_points.POINTS, (True, False)))


@pytest.fixture
def strikes(stack: Stack) -> Iterator[kill_points.Strikes]:
    """Rounds of kills on a Norn with one healthy worker, and with a function that reports each start of its code."""
    await_nest(stack)
    witness = Witness(stack)
    killed_calls.deploy(stack, witness)
    yield kill_points.Strikes(stack, witness)
    witness.close()


@pytest.mark.timeout(1700)
def test_the_code_begins_once_wherever_worker_or_nest_are_killed(strikes: kill_points.Strikes) -> None:
    before = remains(strikes.stack)
    for struck, point, sync in CASES:
        strikes.play(struck, point, sync=sync)
    assert (strikes.wrong, strikes.witness.twice()) == ([], {})
    await_clean(strikes.stack, before, 60)
