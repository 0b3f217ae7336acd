"""Calls in the nest (the container in which crun starts runs) at 80 % of the highest rate that it sustains, while a
worker is killed every five seconds.

Environment variables: LENGTH is the length of the stream of calls in seconds, EVERY the time between two kills in
seconds, and RATE a rate that replaces 80 % of the measured one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.e2e import killed_calls
from tests.e2e.fast_road import await_clean, await_nest, remains
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness
from tests.servers import wait_until

LENGTH = float(os.environ.get("LENGTH", "300"))
EVERY = float(os.environ.get("EVERY", "5"))
RATE = float(os.environ.get("RATE", "0"))
ENVIRONMENT = {"NORN_NEST": "auto", "NORN_WORKERS_INVOKE": "8", "NORN_CALLS_WAITING": "500"}
_OPEN = "SELECT count(*) FROM jobs WHERE kind = 'invoke' AND state IN ('queued', 'running')"


@pytest.fixture
def witness(stack: Stack) -> Iterator[Witness]:
    """A witness, which counts the starts of the code of each call, and the function that reports to it, with three
    workers.
    """
    await_nest(stack)
    found = Witness(stack)
    for name in killed_calls.WORKERS[1:]:
        stack.spawn("invoke", name)
    killed_calls.deploy(stack, found)
    yield found
    found.close()


@pytest.mark.timeout(1700)
def test_only_calls_that_a_killed_worker_held_are_lost(stack: Stack, witness: Witness) -> None:
    before = remains(stack)
    measured = RATE / 0.8 or killed_calls.sustained(stack, 16, min(20, LENGTH / 3))
    killer = killed_calls.Killer(stack, EVERY)
    answers = killed_calls.streamed(stack, 0.8 * measured, LENGTH, "kills", killer)
    wait_until(lambda: stack.rows(_OPEN)[0]["count"] == 0, 120, "all calls have ended")
    ended = time.monotonic()
    found = killed_calls.judged(stack, witness, answers, "kills")
    print(f"{len(answers)} calls at {0.8 * measured:.1f} per second of {measured:.1f}, {len(killer.kills)} workers "
          f"killed: {dict(found.answers)}; recorded {dict(found.ends)}: {found.succeeded:.2%} succeeded; "
          f"{len(witness.twice())} begun twice")  # fmt: skip
    assert (found.wrong, witness.twice()) == ([], {})
    assert found.succeeded >= 0.995
    await_clean(stack, before, 60)
    print(f"nothing left {time.monotonic() - ended:.1f} s after the last call")
