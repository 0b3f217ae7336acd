"""Kills a worker at each point of a run in Incus, and incusd during a run: no code runs twice, and nothing is left."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from norn_tasks.adapters.incus.runtime import IncusRuntime
from tests.fakes.stop import FakeWatch
from tests.incus import IncusKit, own_incus, volumes
from tests.incus_kills import POINTS, WHOLE, killed_worker, play, runtime_at, taken_over

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def own() -> Iterator[IncusKit]:
    """An Incus of this test alone, so that the runs of other tests are not killed."""
    with own_incus() as kit:
        runtime_at(kit.socket).prepare("busybox:stable", "kills", FakeWatch().watch)
        yield kit


def left_of(runtime: IncusRuntime) -> list[str]:
    """Returns the instances and volumes that runs have left behind; the single image has one volume, which does not
    count.
    """
    images = runtime.on.api.get("/1.0/images")
    assert len(images) == len(volumes(runtime, "image")) == 1
    return [each.name for each in runtime.on.containers()] + volumes(runtime, "container")


@pytest.mark.parametrize("point", POINTS)
def test_the_run_of_a_killed_worker_is_taken_over(own: IncusKit, point: str) -> None:
    runtime = runtime_at(own.socket)
    left = killed_worker(own.socket, point, point)
    ended = taken_over(runtime, left, point)
    assert ended is not None
    if point == "running":
        assert (ended.exit_code, ended.stdout.head) == WHOLE
    else:
        assert ended.never_started
    assert left_of(runtime) == []


def test_a_run_that_ended_while_nobody_watched_keeps_its_output_and_its_code(own: IncusKit) -> None:
    """The worker and incusd are killed during the run, and the run ends before either is started again."""
    runtime = runtime_at(own.socket)
    left = killed_worker(own.socket, "running", "alone")
    own.kill()
    time.sleep(1.5)
    own.up()
    ended = taken_over(runtime, left, "alone")
    assert ended is not None and (ended.exit_code, ended.stdout.head) == WHOLE
    assert left_of(runtime) == []


def test_a_killed_incusd_costs_no_run_and_starts_none_again(own: IncusKit) -> None:
    def kill() -> None:
        own.kill()
        own.up()

    played = play(runtime_at(own.socket), "killed", kill, 0.7)
    assert played.right, played
    assert left_of(runtime_at(own.socket)) == []
