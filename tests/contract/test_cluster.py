"""The promises of every cluster about rollouts, tested on the fake, on a real engine and on a real Kubernetes cluster.

The fixture `world` is for promises about the rows of the Docker cluster, the fixture `anywhere` for promises that also
hold on Kubernetes.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from norn_tasks.domain.errors import LeaseLost, ReleaseGone, RolloutFailed, Stopped
from norn_tasks.ports import Workload
from tests.contract import cluster_kit
from tests.contract.cluster_kit import (
    BRIEF,
    CRASHES,
    DEAF,
    GREEDY,
    MISSING,
    QUITS,
    STAY_UP,
    UNWELL,
    World,
    next_release,
)

pytestmark = pytest.mark.timeout(300)
"""The first test of a session may have to start the Kubernetes cluster."""


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, app: str) -> World:
    return _on(request.param, request, app)


def _on(cluster: str, request: pytest.FixtureRequest, app: str) -> World:
    if cluster == "fake":
        return cluster_kit.fake_world(app)
    return cluster_kit.docker_world(app, request.getfixturevalue("clean_engine"))


@pytest.fixture(params=["fake", "docker", "kubernetes"])
def anywhere(request: pytest.FixtureRequest, app: str) -> World:
    if request.param == "kubernetes":
        return cluster_kit.kubernetes_world(app, request.getfixturevalue("kube_api"))
    return _on(request.param, request, app)


def live(world: World) -> list[tuple[int, bool]]:
    """The live replicas, as (generation, has an address)."""
    return world.live()


# Rolling


def test_the_first_rollout_makes_a_replica_live(anywhere: World) -> None:
    status = anywhere.roll(anywhere.web)
    assert (status.wanted, status.ready, live(anywhere)) == (1, 1, [(1, True)])


def test_a_replica_is_recorded_before_it_is_live(world: World) -> None:
    world.roll(world.web)
    assert [verb for verb, _ in world.replicas.changes] == ["starting", "live"]


def test_a_finished_world_is_not_touched(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    before, changes = world.containers(), list(world.replicas.changes)
    world.roll(replace(world.web, replicas=2), token=2)
    assert (world.containers(), world.replicas.changes) == (before, changes)


def test_a_replacement_is_never_below_what_is_wanted_nor_two_above(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    before = len(world.replicas.counts)
    world.roll(next_release(world.web, replicas=2))
    during = world.replicas.counts[before:]
    assert (min(live for live, _ in during), max(every for _, every in during)) == (2, 3)
    assert (live(world), len(world.containers())) == ([(2, True)] * 2, 2)


def test_fewer_of_a_new_generation_wait_for_the_first_of_them(world: World) -> None:
    world.roll(replace(world.web, replicas=3))
    before = len(world.replicas.changes)
    world.roll(next_release(world.web))
    assert [verb for verb, _ in world.replicas.changes[before:]][:2] == ["starting", "live"]
    assert live(world) == [(2, True)]


def test_more_come_and_go_and_the_first_stays(anywhere: World) -> None:
    anywhere.roll(anywhere.web)
    first = anywhere.containers()
    anywhere.roll(replace(anywhere.web, replicas=2))
    more = anywhere.containers()
    anywhere.roll(anywhere.web)
    assert (len(more), set(first) < set(more), anywhere.containers()) == (2, True, first)


def test_no_replicas_are_none(world: World) -> None:
    world.roll(world.web)
    status = world.roll(replace(world.web, replicas=0))
    assert (status.wanted, status.ready, world.containers(), world.replicas.rows) == (0, 0, [], {})


def test_an_old_replica_is_waited_for_until_its_requests_have_ended(world: World) -> None:
    world.roll(world.web)
    world.replicas.drains = False
    rolling = world.rolling(next_release(world.web), until="leaving")
    assert len(world.containers()) == 2
    world.replicas.drains = True
    rolling.end()
    assert len(world.containers()) == 1


def test_requests_without_an_end_are_waited_for_no_longer_than_the_limit(world: World) -> None:
    world.roll(world.web)
    world.replicas.drains = False
    world.roll(next_release(world.web))
    assert live(world) == [(2, True)]


def test_a_worker_needs_no_port(anywhere: World) -> None:
    status = anywhere.roll(replace(anywhere.worker, replicas=2))
    assert (status.ready, live(anywhere)) == (2, [(1, False)] * 2)


def test_a_worker_is_not_waited_for_when_it_leaves(world: World) -> None:
    world.roll(world.worker)
    world.replicas.drains = False
    rolling = world.rolling(next_release(world.worker, replicas=0), until="gone")
    assert rolling.end() < 1


def test_without_a_healthcheck_only_the_first_new_replica_is_watched_for_a_while(world: World) -> None:
    open_port = replace(world.web, healthcheck=None)
    begun = time.monotonic()
    world.roll(open_port)
    first = time.monotonic() - begun
    world.roll(replace(open_port, replicas=2))
    assert (first >= STAY_UP, live(world)) == (True, [(1, True)] * 2)


# Failing


def failing(web: Workload, case: str) -> Workload:
    """Returns release 2, which does not become healthy in the way that `case` names."""
    cases: dict[str, dict[str, object]] = {
        "exits": {"argv": CRASHES},
        "is unwell": {"argv": UNWELL},
        "does not listen": {"argv": DEAF, "healthcheck": None},
        "opens its port and ends": {"argv": BRIEF, "healthcheck": None},
        "takes too much": {"argv": GREEDY},
        "is not there": {"argv": MISSING},
        "does not stay up": {"argv": QUITS, "port": None, "healthcheck": None},
    }
    return next_release(web, **cases[case])


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("exits", "the new container exited 1"),
        ("is unwell", "GET /health on port 8080 answered 404 for 1 s"),
        ("does not listen", "nothing listened on port 8080 for 1 s"),
        ("opens its port and ends", "the new container exited 3"),
        ("takes too much", "it used more than its 32 MiB and was killed"),
        ("is not there", "127"),
        ("does not stay up", "the new container exited 4"),
    ],
)
def test_a_failure_is_one_sentence_and_the_old_release_serves_on(world: World, case: str, sentence: str) -> None:
    world.roll(world.web)
    old = world.containers()
    error = world.refused(failing(world.web, case))
    assert isinstance(error, RolloutFailed) and sentence in error.sentence
    assert error.hint or error.facts["last_lines"]
    assert (world.containers(), live(world)) == (old, [(1, True)])


def test_a_failure_carries_the_last_lines(anywhere: World) -> None:
    error = anywhere.refused(failing(anywhere.web, "exits"))
    assert sorted(error.facts["last_lines"]) == ["oops", "trouble"]


def test_an_image_that_is_gone_is_told_before_anything_is_made(world: World) -> None:
    error = world.refused(replace(world.web, image="norn.invalid/gone:1"))
    assert isinstance(error, ReleaseGone) and world.replicas.changes == []


def test_the_way_back_is_a_rollout_of_the_old_generation(anywhere: World) -> None:
    anywhere.roll(replace(anywhere.web, replicas=2))
    before = set(anywhere.containers())
    anywhere.refused(failing(anywhere.web, "exits"))
    anywhere.roll(replace(anywhere.web, replicas=2), token=2)
    assert set(anywhere.containers()) == before


# Stopping


def test_a_cancelled_rollout_takes_its_new_replica_away_at_once(world: World) -> None:
    world.roll(world.web)
    old = world.containers()
    rolling = world.rolling(next_release(world.web, argv=DEAF), until="starting")
    took = rolling.stop("cancelled")
    assert isinstance(rolling.error, Stopped) and took < 2
    assert (world.containers(), live(world), len(world.replicas.rows)) == (old, [(1, True)], 1)


@pytest.mark.parametrize("reason", ["draining", "lease_lost"])
def test_what_another_worker_may_go_on_with_is_left_at_once(world: World, reason: str) -> None:
    rolling = world.rolling(replace(world.web, argv=DEAF), until="starting")
    took = rolling.stop(reason)
    assert isinstance(rolling.error, Stopped) and took < 1
    assert (len(world.containers()), [row.state for row in world.replicas.rows.values()]) == (1, ["starting"])


def test_the_next_worker_goes_on_with_the_same_container(world: World) -> None:
    slow = replace(
        world.web, argv=cluster_kit.sh("sleep 0.7; mkdir /www; echo > /www/health; httpd -f -h /www -p 8080 & wait")
    )
    world.rolling(slow, until="starting").stop("draining")
    left = world.containers()
    world.roll(slow, token=2)
    assert (world.containers(), live(world)) == (left, [(1, True)])


# A lost lease, a crash, a manual change


VERBS = ["starting", "live", "leaving", "gone"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_fallen_fence_ends_it_at_once_and_the_next_owner_finishes(world: World, verb: str) -> None:
    world.roll(world.web)
    before = len(world.replicas.changes)
    world.replicas.falls_at = verb
    with pytest.raises(LeaseLost):
        world.roll(next_release(world.web))
    assert [done for done, _ in world.replicas.changes[before:]] == VERBS[: VERBS.index(verb)]
    status = world.roll(next_release(world.web), token=2)
    assert (status.ready, live(world), len(world.containers())) == (1, [(2, True)], 1)


def test_a_container_without_a_row_is_recorded_and_gated_again(world: World) -> None:
    world.roll(world.web)
    before = world.containers()
    world.replicas.rows.clear()
    world.roll(world.web, token=2)
    assert (world.containers(), live(world)) == (before, [(1, True)])


def test_an_old_container_without_a_row_is_taken_away(world: World) -> None:
    world.roll(world.web)
    world.replicas.rows.clear()
    world.roll(next_release(world.web), token=2)
    assert (len(world.containers()), live(world)) == (1, [(2, True)])


def test_a_row_without_a_container_is_forgotten_and_made_up_for(world: World) -> None:
    world.roll(replace(world.web, replicas=2))
    lost, kept = world.containers()
    world.remove_by_hand(lost)
    world.roll(replace(world.web, replicas=2), token=2)
    assert (kept in world.containers(), len(live(world)), lost in world.replicas.rows) == (True, 2, False)


def test_a_row_with_another_address_is_put_right(world: World) -> None:
    world.roll(world.web)
    [(container, row)] = world.replicas.rows.items()
    world.replicas.rows[container] = replace(row, address="10.255.255.1:8080")
    healthy = [each.healthy for each in world.status().replicas]
    world.roll(world.web, token=2)
    assert (healthy, world.replicas.rows[container]) == ([False], row)
