"""The promises of the store of replicas, tested on the fake and on the real rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import LeaseLost, NotFound
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.ports import Replicas
from norn_tasks.store.database.session import Database
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests.fakes.replicas import FakeReplicas

ONE = Replica("c1", "blog", 1, 7, ReplicaState.STARTING)
OTHER = Replica("c2", "shop", 1, 8, ReplicaState.STARTING)


@dataclass
class Memory:
    """The store of replicas under test. The job of `fence` holds its lease, the job of `fallen` has lost it. `drain`
    reports that the open requests of leaving replicas have ended, as the router would.
    """

    replicas: Replicas
    fence: Fence
    fallen: Fence
    drain: Callable[[], None]


@pytest.fixture(params=["fake", "rows"])
def memory(request: pytest.FixtureRequest) -> Memory:
    if request.param == "fake":
        fake = FakeReplicas(drains=False, fallen={2})
        return Memory(fake, Fence(1, 1), Fence(1, 2), lambda: setattr(fake, "drains", True))
    database: Database = request.getfixturevalue("database")

    def drain() -> None:
        with database.transaction() as tx:
            tx.execute(text("UPDATE replicas SET drained_at = clock_timestamp() WHERE state = 'leaving'"))

    with database.transaction() as tx:
        job = tx.scalar(
            text(
                "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                " VALUES ('deploy', 'deploy', 'blog', true, 'running', 'test', 1) RETURNING id"
            )
        )
    return Memory(ReplicaTable(database), Fence(int(job or 0), 1), Fence(int(job or 0), 2), drain)


def states(memory: Memory) -> list[tuple[str, str]]:
    return [(row.state, row.address) for row in memory.replicas.of_app("blog")]


def test_a_replica_starts_lives_and_leaves(memory: Memory) -> None:
    seen = []
    memory.replicas.starting(ONE, memory.fence)
    seen += states(memory)
    memory.replicas.live("c1", "10.0.0.2:80", memory.fence)
    seen += states(memory)
    memory.replicas.leaving("c1", memory.fence)
    seen += states(memory)
    memory.replicas.gone("c1", memory.fence)
    assert (seen, states(memory)) == (
        [("starting", ""), ("live", "10.0.0.2:80"), ("leaving", "10.0.0.2:80")],
        [],
    )


def test_each_app_has_its_own(memory: Memory) -> None:
    memory.replicas.starting(ONE, memory.fence)
    memory.replicas.starting(OTHER, memory.fence)
    assert memory.replicas.of_app("blog") == (ONE,)


def test_recording_again_begins_its_life_anew(memory: Memory) -> None:
    memory.replicas.starting(ONE, memory.fence)
    memory.replicas.live("c1", "10.0.0.2:80", memory.fence)
    memory.replicas.starting(ONE, memory.fence)
    assert states(memory) == [("starting", "")]


def test_who_leaves_is_drained_when_the_router_says_so(memory: Memory) -> None:
    memory.replicas.starting(ONE, memory.fence)
    memory.replicas.live("c1", "10.0.0.2:80", memory.fence)
    memory.replicas.leaving("c1", memory.fence)
    before = memory.replicas.drained("c1")
    memory.drain()
    assert (before, memory.replicas.drained("c1")) == (False, True)


def test_what_has_no_row_is_drained(memory: Memory) -> None:
    assert memory.replicas.drained("c9")


def test_what_was_never_recorded_cannot_live(memory: Memory) -> None:
    with pytest.raises(NotFound):
        memory.replicas.live("c9", "10.0.0.9:80", memory.fence)


def test_leaving_and_gone_without_a_row_are_fine(memory: Memory) -> None:
    memory.replicas.leaving("c9", memory.fence)
    memory.replicas.gone("c9", memory.fence)
    assert states(memory) == []


@pytest.mark.parametrize("verb", ["starting", "live", "leaving", "gone"])
def test_a_fallen_fence_changes_nothing(memory: Memory, verb: str) -> None:
    memory.replicas.starting(ONE, memory.fence)
    moves = {
        "starting": lambda: memory.replicas.starting(OTHER, memory.fallen),
        "live": lambda: memory.replicas.live("c1", "10.0.0.2:80", memory.fallen),
        "leaving": lambda: memory.replicas.leaving("c1", memory.fallen),
        "gone": lambda: memory.replicas.gone("c1", memory.fallen),
    }
    with pytest.raises(LeaseLost):
        moves[verb]()
    assert (states(memory), memory.replicas.of_app("shop")) == ([("starting", "")], ())
