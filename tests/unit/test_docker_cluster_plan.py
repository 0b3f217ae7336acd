"""The rollout's plan: each rule by itself, then random states, each of which must reach its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from norn_tasks.adapters.docker_cluster.plan import (
    Admit,
    Create,
    DesiredReplicas,
    Forget,
    Move,
    Readdress,
    Retire,
    next_move,
)
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World, joined
from norn_tasks.domain.jobs.replica import Replica

LIVE, STARTING, LEAVING, DRAINING = "live", "starting", "leaving", "draining"


def one(
    name: str, row: str | None = LIVE, *, generation: int = 2, state: str = "running", index: int = 1, ip: str = ""
) -> ReplicaContainer:
    """Returns a container `name` whose row has the state `row`; None: it has no row."""
    seen = ReplicaContainer(
        name, "blog", index, generation, generation, state, ip or ("10.0.0.1" if state == "running" else "")
    )
    if row is None:
        return seen
    return replace(
        seen, row=Replica(name, "blog", generation, generation, row, "" if row == STARTING else "10.0.0.1:80")
    )


def old(name: str, row: str | None = LIVE, *, state: str = "running") -> ReplicaContainer:
    return one(name, row, generation=1, state=state)


def move(*replicas: ReplicaContainer, wanted: int = 2, started: frozenset[str] = frozenset()) -> Move | None:
    return next_move(World(replicas), DesiredReplicas(2, wanted, started))


def test_nothing_is_done_when_all_is_well() -> None:
    assert move(one("a"), one("b", index=2)) is None


def test_the_first_thing_is_to_forget_what_is_gone() -> None:
    lost = Replica("x", "blog", 1, 1, LIVE)
    assert next_move(World((old("a"),), (lost,)), DesiredReplicas(2, 1)) == Forget((lost,))


def test_a_live_one_at_another_address_is_told() -> None:
    assert move(one("a", ip="10.0.0.9")) == Readdress(one("a", ip="10.0.0.9"))


def test_a_missing_one_is_made_with_the_lowest_free_number() -> None:
    assert move(one("a", index=2), wanted=3) == Create(1)


def test_one_that_waits_is_admitted_before_another_is_made() -> None:
    assert move(one("a"), one("b", STARTING, state="created", index=2)) == Admit(
        one("b", STARTING, state="created", index=2)
    )


def test_one_without_a_row_is_admitted() -> None:
    assert move(one("a", None), wanted=1) == Admit(one("a", None))


def test_nothing_old_goes_before_the_first_new_one_lives() -> None:
    assert move(old("a"), old("b"), old("c"), wanted=1) == Create(1)


def recreating(*replicas: ReplicaContainer, wanted: int = 1) -> Move | None:
    return next_move(World(replicas), DesiredReplicas(2, wanted, recreate=True))


def test_a_rollout_that_recreates_ends_every_old_one_before_it_starts_a_new_one() -> None:
    made = one("c", STARTING, state="created")
    assert recreating(old("a"), old("b"), wanted=2) == Create(1)
    assert recreating(old("a"), old("b"), made, wanted=2) == Retire((old("a"), old("b")))
    assert recreating(made, wanted=2) == Admit(made)


def test_an_old_one_goes_for_a_new_one() -> None:
    assert move(old("a"), old("b"), one("c")) == Retire((old("a"),))


def test_a_dead_old_one_goes_first() -> None:
    assert move(old("a"), old("b", state="exited"), one("c")) == Retire((old("b", state="exited"),))


def test_an_old_one_stays_while_it_makes_up_for_a_missing_new_one() -> None:
    assert move(old("a"), one("c")) == Create(2)


def test_all_old_ones_go_at_the_end() -> None:
    assert move(old("a"), old("b"), one("c"), one("d", index=2)) == Retire((old("a"), old("b")))


def test_an_old_one_that_never_lived_goes_at_once() -> None:
    assert move(old("a", STARTING), old("b", None)) == Retire((old("a", STARTING), old("b", None)))


def test_one_that_was_leaving_goes_on_leaving() -> None:
    assert move(one("a", LEAVING), one("b", index=2)) == Retire((one("a", LEAVING),))


def test_a_live_one_that_died_is_replaced() -> None:
    assert move(one("a", state="exited")) == Retire((one("a", state="exited"),))


def test_a_live_one_that_the_engine_keeps_restarting_is_replaced() -> None:
    assert move(one("a", state="restarting")) == Retire((one("a", state="restarting"),))


def test_what_another_worker_started_and_died_gets_a_new_chance() -> None:
    assert move(one("a", STARTING, state="exited")) == Retire((one("a", STARTING, state="exited"),))


def test_what_this_rollout_started_and_died_is_judged() -> None:
    dead = one("a", STARTING, state="exited")
    assert move(dead, started=frozenset("a")) == Admit(dead)


def test_a_surplus_goes_highest_number_first() -> None:
    assert move(one("a"), one("b", index=2), one("c", index=3), wanted=1) == Retire(
        (one("b", index=2), one("c", index=3))
    )


def test_none_wanted_leaves_none() -> None:
    assert move(old("a"), one("b"), wanted=0) == Retire((one("b"), old("a")))


def test_a_draining_one_is_left_alone_and_keeps_its_number() -> None:
    assert move(old("a", DRAINING), one("b"), one("c", DRAINING, index=2), wanted=1) is None
    assert move(one("b"), one("c", DRAINING, index=2), wanted=2) == Create(3)


def test_a_draining_one_makes_up_for_no_missing_one() -> None:
    assert move(old("a", DRAINING), wanted=1) == Create(1)
    assert move(old("a", DRAINING), old("b"), one("c"), wanted=1) == Retire((old("b"),))


def test_where_none_may_drain_those_that_do_go_first() -> None:
    wanted = DesiredReplicas(2, 1, drains=False)
    assert next_move(World((old("a", DRAINING), old("b"))), wanted) == Retire((old("a", DRAINING),))


# Random states


@dataclass
class EngineClient:
    """Carries out the plan as a worker does, with every new replica healthy, and counts the serving ones."""

    replicas: dict[str, ReplicaContainer] = field(default_factory=dict)
    lost: list[Replica] = field(default_factory=list)
    made: int = 0

    def serving(self) -> int:
        return sum(each.live and each.running for each in self.replicas.values())

    def world(self) -> World:
        rows = [each.row for each in self.replicas.values() if each.row is not None]
        return joined((replace(each, row=None) for each in self.replicas.values()), [*rows, *self.lost])

    def make(self, move: Move) -> None:
        match move:
            case Forget(rows):
                self.lost = [row for row in self.lost if row not in rows]
            case Readdress(replica):
                assert replica.row is not None
                self._row(replica, LIVE, replica.address)
            case Retire(replicas):
                for each in replicas:
                    del self.replicas[each.id]
            case Admit(replica):
                self.replicas[replica.id] = replace(replica, state="running", ip="10.0.0.1")
                self._row(replica, LIVE, "10.0.0.1:80")
            case Create(index):
                self.made += 1
                assert index not in {each.index for each in self.replicas.values() if each.generation == 2}
                self.replicas[f"new{self.made}"] = one(f"new{self.made}", None, state="created", index=index)

    def _row(self, replica: ReplicaContainer, state: str, address: str) -> None:
        row = Replica(replica.id, "blog", replica.release, replica.generation, state, address)
        self.replicas[replica.id] = replace(self.replicas[replica.id], row=row)


STATES = st.sampled_from(["running", "created", "exited", "restarting"])
ROWS = st.sampled_from([None, STARTING, LIVE, LIVE, LIVE, LEAVING, DRAINING])
REPLICAS = st.tuples(ROWS, st.integers(1, 3), STATES, st.sampled_from(["", "10.0.0.7"]))


@settings(max_examples=500, deadline=None)
@given(st.lists(REPLICAS, max_size=8), st.integers(0, 4), st.integers(0, 2))
def test_every_world_comes_to_its_end_and_serves_all_the_way(
    found: list[tuple[str | None, int, str, str]], wanted: int, lost: int
) -> None:
    engine = EngineClient(lost=[Replica(f"lost{n}", "blog", 1, 1, LIVE) for n in range(lost)])
    for n, (row, generation, state, ip) in enumerate(found):
        address = ip if state == "running" else ""
        engine.replicas[f"c{n}"] = one(f"c{n}", row, generation=generation, state=state, index=n + 1, ip=address)
    draining = {name for name, each in engine.replicas.items() if each.draining}
    serving, there = engine.serving(), len(engine.replicas.keys() - draining)
    for _ in range(100):
        following = next_move(engine.world(), DesiredReplicas(2, wanted))
        if following is None:
            break
        engine.make(following)
        assert engine.serving() >= min(serving, wanted)
        assert len(engine.replicas.keys() - draining) <= max(there, wanted) + 1
    assert following is None
    assert draining <= engine.replicas.keys()
    assert [each.generation for name, each in engine.replicas.items() if name not in draining] == [2] * wanted
    assert engine.serving() == wanted and engine.lost == []
