"""The promises of every cluster about observing, reading logs and taking down, tested on the fake and on a real
engine.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret
from tests.contract import cluster_kit
from tests.contract.cluster_kit import World, next_release, sh
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import wait_until


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, app: str) -> World:
    if request.param == "fake":
        return cluster_kit.fake_world(app)
    return cluster_kit.docker_world(app, request.getfixturevalue("clean_engine"))


# Status


def test_each_replica_is_told_with_its_release(world: World) -> None:
    world.roll(replace(world.web, replicas=2, release=7))
    told = [(each.name, each.state, each.release, each.healthy) for each in world.status().replicas]
    assert told == [("r7-1", "running", 7, True), ("r7-2", "running", 7, True)]


def test_what_was_last_wanted_is_told(world: World) -> None:
    told = []
    for count in (1, 3, 1):
        world.roll(replace(world.web, replicas=count))
        told.append((world.status().wanted, world.status().ready))
    assert told == [(1, 1), (3, 3), (1, 1)]


def test_a_replica_that_somebody_removed_is_still_wanted(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    world.remove_by_hand(world.containers()[0])
    status = world.status()
    assert (status.wanted, status.ready, status.message) == (2, 1, "1 replica is gone from the engine")


def test_while_a_rollout_goes_on_the_serving_release_is_what_is_wanted(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    rolling = world.rolling(next_release(world.web, replicas=2, argv=cluster_kit.DEAF), until="starting")
    status = world.status()
    rolling.stop("cancelled")
    assert (status.wanted, status.ready, len(status.replicas)) == (2, 2, 3)


def test_a_look_changes_nothing(world: World) -> None:
    world.roll(world.web)
    before = list(world.replicas.changes)
    world.status()
    assert world.replicas.changes == before


# Several control planes


def test_another_control_plane_sees_nothing_of_ours(world: World) -> None:
    world.roll(world.web)
    other, _ = world.neighbour()
    assert [each for each in other.status() if each.app == world.web.app] == []


def test_another_control_plane_runs_the_same_app_beside_ours(world: World) -> None:
    world.roll(world.web)
    ours = set(world.containers())
    other, theirs = world.neighbour()
    other.await_rollout(world.web, FakeWatch().watch)
    assert ours < set(world.containers()) and not ours & set(theirs.rows)


def test_another_control_planes_teardown_leaves_ours(world: World) -> None:
    world.roll(world.web)
    ours = world.containers()
    other, _ = world.neighbour()
    other.dismantle(world.web.app, FakeWatch().watch)
    assert world.containers() == ours


# Taking down


def test_nothing_is_left_of_what_is_taken_down(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    world.cluster.unexpose(world.web.app, FakeWatch().watch)
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert (world.containers(), world.replicas.rows) == ([], {})


def test_rows_alone_are_taken_down_too(world: World) -> None:
    world.roll(world.web)
    world.remove_by_hand(world.containers()[0])
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert world.replicas.rows == {}


def test_taking_down_nothing_is_fine(world: World) -> None:
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert world.replicas.changes == []


def test_who_lost_the_lease_takes_nothing_down(world: World) -> None:
    world.roll(world.web)
    world.replicas.fallen.add(1)
    with pytest.raises(LeaseLost):
        world.cluster.dismantle(world.web.app, FakeWatch(token=1).watch)
    assert len(world.containers()) == 1


def test_before_the_first_deploy_nothing_runs(world: World) -> None:
    world.cluster.prepare(replace(world.web, replicas=0), FakeWatch().watch)
    world.cluster.expose(replace(world.web, replicas=0), FakeWatch().watch)
    assert world.containers() == []


# Logs


class Reader:
    """Follows an app's logs on a thread."""

    def __init__(self, world: World, tail: int = 10) -> None:
        self.lines: list[tuple[str, str]] = []
        self.stop = FakeStop()
        self._thread = threading.Thread(target=self._read, args=[world, tail])
        self._thread.start()

    def _read(self, world: World, tail: int) -> None:
        world.cluster.logs(world.web.app, tail, True, lambda name, line: self.lines.append((name, line)), self.stop)

    def end(self) -> float:
        begun = time.monotonic()
        self.stop.set("cancelled")
        self._thread.join(10)
        return time.monotonic() - begun


def tail(world: World, count: int, *hidden: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    redaction = Redaction(map(Secret, hidden))
    world.cluster.logs(
        world.web.app, count, False, lambda name, line: lines.append((name, line)), FakeStop(), redaction
    )
    return lines


def test_the_last_lines_of_each_replica_are_read(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    assert tail(world, 10) == [("r1-1", "serving"), ("r1-2", "serving")]


def test_a_secret_is_hidden_in_the_lines(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    assert tail(world, 10, "serving") == [("r1-1", "***"), ("r1-2", "***")]


def test_no_lines_are_none(world: World) -> None:
    world.roll(world.web)
    assert tail(world, 0) == []


def test_an_app_without_replicas_has_no_lines(world: World) -> None:
    assert tail(world, 10) == []


def test_who_follows_hears_the_new_release_too(world: World) -> None:
    world.roll(world.web)
    reader = Reader(world)
    try:
        wait_until(lambda: ("r1-1", "serving") in reader.lines, 5, "the old one is heard")
        world.roll(next_release(world.web))
        wait_until(lambda: ("r2-1", "serving") in reader.lines, 5, "the new one is heard")
    finally:
        took = reader.end()
    assert (reader.lines, took < 1) == ([("r1-1", "serving"), ("r2-1", "serving")], True)


def test_a_long_silence_does_not_keep_a_reader(world: World) -> None:
    world.roll(replace(world.worker, argv=sh(cluster_kit.FOREVER)))
    assert Reader(world).end() < 1
