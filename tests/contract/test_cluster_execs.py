"""The promises of every cluster about programs inside a replica, tested on the fake and on a real engine."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from norn_tasks.domain.errors import NotFound, Stopped
from norn_tasks.ports import Cluster, ExecCommand, Terminal, Typed
from tests.contract import cluster_kit
from tests.contract.cluster_kit import World
from tests.fakes.docker_cluster import FakeCluster
from tests.fakes.terminal import FakeTerminal
from tests.servers import wait_until

SPEAKS = ("sh", "-c", "printf out; printf err >&2; exit 3")
ECHOES = ("cat",)
STAYS = ("sh", "-c", "echo up; sleep 4141 & sleep 4141")


def _speaks(terminal: Terminal) -> int:
    terminal.wrote("stdout", b"out")
    terminal.wrote("stderr", b"err")
    return 3


def _echoes(terminal: Terminal) -> int:
    while (typed := terminal.typed(1)) is None or not typed.eof:
        terminal.wrote("stdout", typed.data if typed is not None else b"")
    return 0


def _stays(terminal: Terminal) -> int:
    terminal.wrote("stdout", b"up\n")
    while True:
        terminal.stop.wait(0.02)
        terminal.stop.check()


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, app: str) -> World:
    if request.param == "docker":
        return cluster_kit.docker_world(app, request.getfixturevalue("clean_engine"))
    world = cluster_kit.fake_world(app)
    assert isinstance(world.cluster, FakeCluster)
    commands = {SPEAKS: _speaks, ECHOES: _echoes, STAYS: _stays}
    return replace(world, cluster=replace(world.cluster, commands=commands))


def command(world: World, argv: tuple[str, ...], replica: int | None = None) -> ExecCommand:
    return ExecCommand(world.web.app, argv, mark="7-abc123", replica=replica)


def test_both_streams_come_apart_and_the_exit_code_is_its_own(world: World) -> None:
    world.roll(world.web)
    terminal = FakeTerminal()
    code = world.cluster.execute(command(world, SPEAKS), terminal)
    assert (code, terminal.read) == (3, {"stdout": b"out", "stderr": b"err"})


def test_it_reads_what_is_typed_to_its_end(world: World) -> None:
    world.roll(world.web)
    terminal = FakeTerminal((Typed(b"one "), Typed(b"two"), Typed(eof=True)))
    code = world.cluster.execute(command(world, ECHOES), terminal)
    assert (code, terminal.read["stdout"]) == (0, b"one two")


@pytest.mark.parametrize("replica", [None, 2])
def test_without_a_replica_that_serves_there_is_nowhere_to_run(world: World, replica: int | None) -> None:
    world.roll(replace(world.web, replicas=0 if replica is None else 1))
    with pytest.raises(NotFound):
        world.cluster.execute(command(world, SPEAKS, replica), FakeTerminal())


def test_it_ends_soon_after_its_reader_went_away(world: World) -> None:
    world.roll(world.web)
    terminal, ended = FakeTerminal(()), threading.Event()

    def sit(cluster: Cluster) -> None:
        with pytest.raises(Stopped):
            cluster.execute(command(world, STAYS), terminal)
        ended.set()

    threading.Thread(target=sit, args=[world.cluster], daemon=True).start()
    wait_until(lambda: terminal.read["stdout"] == b"up\n", 10, "it runs")
    begun = time.monotonic()
    terminal.stop.set("cancelled")
    assert (ended.wait(10), time.monotonic() - begun < 5) == (True, True)
