"""The log lines of replicas are kept after a restart, a replacement and a removal, whichever process collects them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster.collecting import LastLines, LogCollector
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.domain.app_logs.lines import KeptLine, LogQuestion
from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret
from tests.contract import cluster_kit
from tests.contract.cluster_kit import CRASHES, INSTANCE, World, next_release, sh
from tests.fakes.stop import FakeStop
from tests.servers import allowed, wait_until

SECRET = "hunter2-hunter2"
PARTS = sh(f"echo started as {SECRET}; trap 'echo bye; exit 0' TERM; {cluster_kit.FOREVER}")


class _Hiding:
    def of(self, app: str) -> Redaction:
        """Returns the same redaction for every app: it hides one secret value."""
        return Redaction([Secret(SECRET)])


@dataclass
class Collected:
    """A world (one app on one cluster) whose log lines are collected."""

    world: World
    engine: EngineClient
    home: Path

    def logs(self) -> KeptLogDirectory:
        """Returns the kept logs as another process would read them."""
        return KeptLogDirectory(self.home, KeepLimits(64 * 2**20, 86400.0), 0, ("docker",))

    def collector(self) -> LogCollector:
        """Returns another collector."""
        return LogCollector(EngineClient(self.engine.address), INSTANCE, self.logs(), _Hiding())

    def lines(self, **asked: object) -> list[str]:
        """Returns the kept lines, each with the name of its replica."""
        found: list[KeptLine] = []
        self.logs().read(self.world.web.app, LogQuestion(**{"tail": 10**6, **asked}), found.extend)  # type: ignore[arg-type]
        return [f"{line.origin.name} {line.text.decode()}" for line in found]

    def await_lines(self, *wanted: str) -> None:
        """Waits until exactly these lines are kept."""
        wait_until(lambda: sorted(self.lines()) == sorted(wanted), allowed(10), f"{wanted}, not {self.lines()}")


@pytest.fixture
def collected(app: str, clean_engine: EngineClient, tmp_path: Path) -> Collected:
    world = cluster_kit.docker_world(app, clean_engine)
    found = Collected(world, clean_engine, tmp_path)
    keep = LastLines(clean_engine, found.logs(), _Hiding()).keep
    world.cluster = cluster_kit.docker_cluster(clean_engine, world.replicas, keep_lines=keep)
    world.hasty = cluster_kit.docker_cluster(clean_engine, world.replicas, timeout=cluster_kit.HASTE, keep_lines=keep)
    return found


@pytest.fixture
def collecting(collected: Collected) -> Iterator[Collected]:
    collector = collected.collector()
    thread = threading.Thread(target=collector.run, daemon=True)
    thread.start()
    wait_until(lambda: not collected.logs().trouble("docker"), allowed(10), "it collects")
    yield collected
    collector.stop()


def worker(world: World, argv: tuple[str, ...], **changes: object) -> object:
    return replace(world.worker, argv=argv, **changes)  # type: ignore[arg-type]


def test_lines_outlive_their_container_and_its_last_ones_are_among_them(collecting: Collected) -> None:
    world = collecting.world
    world.roll(worker(world, PARTS))
    collecting.await_lines("r1-1 started as ***")
    world.roll(next_release(worker(world, PARTS)))
    collecting.await_lines("r1-1 started as ***", "r1-1 bye", "r2-1 started as ***")
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in collecting.home.rglob("*.*"))


def test_the_last_lines_are_kept_though_nobody_collects(collected: Collected) -> None:
    world = collected.world
    world.roll(worker(world, PARTS))
    world.roll(next_release(worker(world, PARTS)))
    assert collected.lines() == ["r1-1 started as ***", "r1-1 bye"]


def test_the_lines_of_a_replica_that_never_served_are_kept(collected: Collected) -> None:
    collected.world.refused(worker(collected.world, CRASHES))
    assert sorted(collected.lines()) == ["r1-1 oops", "r1-1 trouble"]


def test_a_replica_that_the_engine_restarts_is_read_on_and_each_line_once(collecting: Collected) -> None:
    world = collecting.world
    world.roll(worker(world, sh("echo up; sleep 2; echo down; exit 1")))
    wait_until(lambda: len(collecting.lines()) >= 5, allowed(15), "it ended twice")
    lines = [line.split()[1] for line in collecting.lines()]
    assert lines == (["up", "down"] * len(lines))[: len(lines)]


def test_two_readers_follow_the_lines_of_one_collector(collecting: Collected) -> None:
    heard: list[list[str]] = [[], []]
    stop = FakeStop()

    def follow(into: list[str]) -> None:
        def take(lines: object) -> None:
            into.extend(line.text.decode() for line in lines)  # type: ignore[attr-defined]

        collecting.logs().read(collecting.world.web.app, LogQuestion(), take, stop)

    readers = [threading.Thread(target=follow, args=[into]) for into in heard]
    for reader in readers:
        reader.start()
    collecting.world.roll(worker(collecting.world, PARTS))
    try:
        wait_until(lambda: heard == [["started as ***"]] * 2, allowed(10), "both hear it")
    finally:
        stop.set("cancelled")
        for reader in readers:
            reader.join(5)


def test_a_collector_that_is_killed_in_a_flood_loses_nothing_and_doubles_nothing(collected: Collected) -> None:
    world, count = collected.world, 60_000
    text = "x" * 60
    flood = f'i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo "$i {text}"; done; {cluster_kit.FOREVER}'
    roll = threading.Thread(target=world.roll, args=[worker(world, sh(flood), memory=None)])
    roll.start()
    for _ in range(4):
        child = os.fork()
        if child == 0:
            collected.collector().run()
        time.sleep(0.7)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    collector = collected.collector()
    thread = threading.Thread(target=collector.run, daemon=True)
    thread.start()
    try:
        last = f"r1-1 {count} {text}"
        wait_until(lambda: collected.lines(tail=1) == [last], allowed(30), "the last line is kept")
        assert [int(line.split()[1]) for line in collected.lines()] == list(range(1, count + 1))
    finally:
        collector.stop()
        roll.join(30)


def test_kept_lines_that_cannot_be_opened_are_logged(collected: Collected, caplog: pytest.LogCaptureFixture) -> None:
    (collected.home / "blog" / "lock").mkdir(parents=True)
    collected.collector().turn()
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if line.startswith("logs of replicas are not collected: [Errno 21]")], said


def test_an_engine_that_is_away_is_logged_once(collected: Collected, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = EngineClient(f"unix://{collected.home}/nothing.sock")
    collector = LogCollector(nowhere, INSTANCE, collected.logs(), _Hiding())
    for _ in range(3):
        collector.turn()
    assert [record.getMessage() for record in caplog.records if "not collected" in record.getMessage()] == [
        f"logs of replicas are not collected: the engine at {nowhere.address} does not answer: "
        "[Errno 2] No such file or directory"
    ]
