"""The right to open the router's ports: one process has it, another user cannot take it, and it can be handed over."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from norn_tasks.router.handover import Drains, Successor, take_over
from norn_tasks.router.sole import SoleRouter
from norn_tasks.router_socket import RouterProcess, reach
from tests.servers import wait_until


class Open:
    """The listening sockets of a router, with their addresses."""

    def __init__(self, count: int = 0) -> None:
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        self.successors: SimpleQueue[Successor] = SimpleQueue()

    def listening(self) -> tuple[str, ...]:
        """Returns the apps."""
        return tuple(f"app-{n}" for n, _ in enumerate(self.sockets))

    def files(self) -> list[tuple[str, int]]:
        """Returns the descriptors, each with its address."""
        return [(self.address(each), each.fileno()) for each in self.sockets]

    def address(self, listening: socket.socket) -> str:
        """Returns an address in the form of the settings."""
        return f"localhost:{listening.getsockname()[1]}"

    def hand_over(self, successor: Successor) -> None:
        """Keeps the successor."""
        self.successors.put(successor)


@pytest.fixture
def name() -> Iterator[str]:
    yield f"\0{uuid.uuid4().hex}"


def test_a_second_router_learns_which_process_has_the_right(name: str) -> None:
    first, second = SoleRouter(name, Open(3)), SoleRouter(name, Open())
    assert first.acquire() is None
    assert second.acquire() == RouterProcess(os.getpid(), os.geteuid(), apps=3)
    first.release()
    assert second.acquire() is None
    second.release()


def test_routers_of_two_norns_do_not_wait_for_each_other(name: str) -> None:
    one, other = SoleRouter(name, Open()), SoleRouter(f"{name}-2", Open())
    assert (one.acquire(), other.acquire()) == (None, None)
    one.release()
    other.release()


def test_a_process_of_another_user_is_not_believed() -> None:
    assert RouterProcess(1, 0).believed
    assert RouterProcess(1, os.geteuid()).believed
    assert not RouterProcess(1, os.geteuid() + 1).believed


def test_a_name_that_no_router_has_is_nobody(name: str) -> None:
    assert (reach(name), take_over(name)) == (None, None)


def test_a_successor_gets_all_sockets_and_then_the_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a router takes nothing over from its own process, but both routers of this test are in one process
    monkeypatch.setattr(os, "getpid", lambda: 1)
    addresses = Open(450)
    first, second = SoleRouter(name, addresses), SoleRouter(name, Open())
    assert first.acquire() is None
    predecessor = take_over(name)
    assert predecessor is not None
    for each in addresses.sockets:
        (ours,) = predecessor.sockets.take(addresses.address(each))
        assert ours.getsockname() == each.getsockname()
        ours.close()
    predecessor.replace()
    assert second.acquire() is None
    drained: SimpleQueue[str] = SimpleQueue()
    counted: SimpleQueue[tuple[str, int]] = SimpleQueue()
    predecessor.follow(drained.put, lambda *count: counted.put(count), lambda: drained.put("gone"))
    successor = addresses.successors.get(timeout=5)
    successor.connections({"c1": 2, "c2": 1})
    assert [counted.get(timeout=5) for _ in range(2)] == [("c1", 2), ("c2", 1)]
    successor.drained("c1")
    assert drained.get(timeout=5) == "c1"
    del successor
    assert drained.get(timeout=5) == "gone"
    second.release()
    for each in addresses.sockets:
        each.close()


def test_a_successor_that_dies_before_it_serves_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    addresses = Open(1)
    first = SoleRouter(name, addresses)
    first.acquire()
    predecessor = take_over(name)
    assert predecessor is not None
    del predecessor
    wait_until(lambda: take_over(name) is not None, 5, "the next one is handed the sockets")
    assert addresses.successors.empty()
    first.release()


def test_a_replica_is_drained_when_both_routers_have_no_request_on_it() -> None:
    written: list[str] = []
    drains = Drains(written.append)
    drains.here("before")
    drains.waits = True
    for container in ("ours", "ours", "both"):
        drains.here(container)
    drains.there("both")
    drains.there("theirs")
    assert written == ["before", "both"]
    drains.here("theirs")
    assert written == ["before", "both", "theirs"]
    drains.predecessor_gone()
    assert sorted(written[3:]) == ["both", "ours"]
