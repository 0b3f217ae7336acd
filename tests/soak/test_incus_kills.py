"""Kills incusd at 30 moments of a run, and a worker ten times at each of three points: no code runs twice, and nothing
is left.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fakes.stop import FakeWatch
from tests.incus import IncusKit, own_incus, volumes
from tests.incus_kills import POINTS, WHOLE, killed_worker, play, runtime_at, taken_over

ROUNDS = int(os.environ.get("ROUNDS", "30"))


@pytest.fixture(scope="module")
def own() -> Iterator[IncusKit]:
    with own_incus() as kit:
        runtime_at(kit.socket).prepare("busybox:stable", "kills", FakeWatch().watch)
        yield kit


@pytest.mark.timeout(1500)
def test_incusd_is_killed_at_every_moment(own: IncusKit) -> None:
    def kill() -> None:
        own.kill()
        own.up()

    played = [play(runtime_at(own.socket), f"k{n}", kill, n * 0.06) for n in range(ROUNDS)]
    wrong = [each for each in played if not each.right]
    unbegun = sum(each.ended is None for each in played)
    print(f"\n{ROUNDS} runs whose incusd was killed: {ROUNDS - unbegun} whole, {unbegun} not begun, wrong: {wrong}")
    assert wrong == []
    runtime = runtime_at(own.socket)
    # instances whose creation got no response; in Norn the removal of orphans removes them
    for left in runtime.on.containers():
        runtime.on.remove(left.id)
    assert runtime.on.containers() == ()
    assert volumes(runtime, "container") == []


@pytest.mark.timeout(1500)
def test_the_worker_is_killed_at_every_point(own: IncusKit) -> None:
    runtime, ends = runtime_at(own.socket), Counter[str]()
    for n in range(ROUNDS):
        point = POINTS[n % len(POINTS)]
        ended = taken_over(runtime, killed_worker(own.socket, point, f"w{n}"), f"w{n}")
        assert ended is not None
        whole = (ended.exit_code, ended.stdout.head) == WHOLE
        ends[f"{point}: {'whole' if whole else 'never started' if ended.never_started else 'wrong'}"] += 1
    print(f"\n{ROUNDS} workers killed: {dict(ends)}")
    assert set(ends) == {"created: never started", "begun: never started", "running: whole"}
    assert runtime.on.containers() == ()
    assert volumes(runtime, "container") == []


@pytest.mark.timeout(1500)
def test_incusd_is_killed_while_an_image_comes(own: IncusKit) -> None:
    """After an interrupted import, the next run gets the complete image."""
    for n in range(6):
        runtime = runtime_at(own.socket)
        runtime.prune("kills", ())

        def kill() -> None:
            own.kill()
            own.up()

        play(runtime, f"i{n}", kill, 0.1 + n * 0.08)
        again = play(runtime_at(own.socket), f"j{n}", lambda: None, 0)
        assert again.right, again
