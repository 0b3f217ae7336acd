"""The routing table: which replica gets the next request, and when a leaving replica is drained."""

from __future__ import annotations

from contextlib import ExitStack

from norn_tasks.router.backend import Backend
from norn_tasks.router.table import Entry, Table
from norn_tasks.store.replicas.routes import Route, Routes, Target
from tests.router_kit import story


def look(*live: str, leaving: tuple[str, ...] = ()) -> Routes:
    targets = tuple(Target(name, f"10.0.0.1:{ord(name)}") for name in live)
    return Routes((Route("blog", 18800, targets),), frozenset(leaving))


def filled(*live: str) -> tuple[Table, list[str]]:
    drained: list[str] = []
    table = Table(drained.append)
    table.apply(look(*live))
    return table, drained


def entry(table: Table) -> Entry:
    found = table.entry("blog")
    assert found
    return found


def chosen(table: Table, refused: set[Backend] | None = None, shunned: Backend | None = None) -> Backend:
    backend = entry(table).choose(refused or set(), shunned)
    assert backend
    return backend


@story
async def test_the_replica_with_the_fewest_open_requests_is_next() -> None:
    table, _ = filled("a", "b")
    with table.open_request(chosen(table)) as _, ExitStack() as opened:
        busy = [b for b in entry(table).backends if b.open]
        for _n in range(3):
            free = chosen(table)
            assert free not in busy
        opened.enter_context(table.open_request(free))
        opened.enter_context(table.open_request(free))
        assert [chosen(table) for _n in range(3)] == busy * 3


@story
async def test_equals_take_turns() -> None:
    table, _ = filled("a", "b", "c")
    assert sorted(chosen(table).container for _ in range(9)) == ["a"] * 3 + ["b"] * 3 + ["c"] * 3


@story
async def test_turns_go_on_over_a_new_look() -> None:
    table, _ = filled("a", "b")
    names = []
    for _ in range(6):
        names.append(chosen(table).container)
        table.apply(look("a", "b"))
    assert sorted(names) == ["a"] * 3 + ["b"] * 3


@story
async def test_a_refused_replica_is_out_and_a_shunned_one_is_last() -> None:
    table, _ = filled("a", "b")
    one, other = entry(table).backends
    assert {chosen(table, {one}) for _ in range(4)} == {other}
    assert {chosen(table, shunned=one) for _ in range(4)} == {other}
    assert chosen(table, {other}, one) is one
    assert entry(table).choose({one, other}, None) is None


@story
async def test_what_stays_is_the_same_over_a_new_look() -> None:
    table, _ = filled("a", "b")
    before = entry(table).backends
    table.apply(look("a", "c"))
    assert entry(table).backends[0] is before[0]


@story
async def test_a_container_with_another_address_is_another_replica() -> None:
    table, _ = filled("a")
    before = entry(table).backends[0]
    table.apply(Routes((Route("blog", 18800, (Target("a", "10.0.0.9:1"),)),)))
    assert entry(table).backends[0] is not before


@story
async def test_a_leaving_replica_without_requests_is_drained_at_once() -> None:
    table, drained = filled("a", "b")
    table.apply(look("b", leaving=("a",)))
    assert drained == ["a"]


@story
async def test_a_leaving_replica_is_drained_when_its_last_request_ends() -> None:
    table, drained = filled("a")
    backend = chosen(table)
    with table.open_request(backend):
        with table.open_request(backend):
            table.apply(look(leaving=("a",)))
        assert drained == []
    assert drained == ["a"]


@story
async def test_drained_is_said_again_while_the_row_still_asks() -> None:
    table, drained = filled("a")
    for _ in range(3):
        table.apply(look(leaving=("a",)))
    assert drained == ["a"] * 3


@story
async def test_a_leaving_replica_that_was_never_routed_is_drained() -> None:
    table, drained = filled()
    table.apply(look(leaving=("z",)))
    assert drained == ["z"]


@story
async def test_a_replica_that_is_gone_while_busy_is_not_reported() -> None:
    table, drained = filled("a")
    with table.open_request(chosen(table)):
        table.apply(look())
    assert drained == []
