"""Broken releases that only a cluster with nodes can have, on a real one: the error names the true cause, and the old
release keeps serving.

`tests/soak/test_kubernetes_broken.py` has fifteen more.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.domain.errors import NornError
from norn_tasks.ports import Workload
from tests.contract.cluster_kit import kubernetes_world, next_release, sh

pytestmark = pytest.mark.timeout(300)

CASES = {
    "an image that is on no node": (
        {"tag": "norn/nowhere:7"},
        "image_not_loaded",
        '"norn/nowhere:7" is not on the node',
    ),
    "more memory than any node has": ({"memory": 640 * 2**30}, "insufficient", "no node has enough memory free"),
    "a program that is done": ({"argv": sh("exit 0")}, "exits_zero", "ends by itself with exit code 0"),
}


@dataclass(frozen=True)
class End:
    """How a broken release ended: its error, and which replicas were live then."""

    error: NornError
    live: list[tuple[int, bool]]


def end_of(api: Api, changes: dict[str, object]) -> End:
    """Rolls out a worker, and then a release of it with these changes."""
    world = kubernetes_world(f"t{uuid.uuid4().hex[:10]}", api)
    first: Workload = replace(world.worker, internal_host="")
    world.roll(first)
    return End(world.refused(next_release(first, **changes)), world.live())


@pytest.fixture(scope="module")
def ends(kube_api: Api) -> Iterator[dict[str, Future[End]]]:
    """The ends of all broken releases, which are rolled out at the same time."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {name: pool.submit(end_of, kube_api, changes) for name, (changes, _, _) in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named_and_the_old_release_serves(ends: dict[str, Future[End]], name: str) -> None:
    end = ends[name].result(60)
    _, cause, words = CASES[name]
    assert end.error.facts["cause"] == cause
    assert words in end.error.sentence
    assert [generation for generation, _ in end.live] == [1]
