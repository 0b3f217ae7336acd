"""What pods write is kept when their programs are started again, when they are replaced, and when they are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.collecting import PodLogCollector
from norn_tasks.adapters.kubernetes.collecting.pod import nanoseconds
from norn_tasks.domain.app_logs.lines import MISSING, KeptLine, LogQuestion
from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret
from tests.contract import cluster_kit
from tests.contract.cluster_kit import CRASHES, FOREVER, INSTANCE, World, next_release, sh
from tests.servers import allowed, wait_until

SECRET = "hunter2-hunter2"
PARTS = sh(f"echo started as {SECRET}; trap 'echo bye; exit 0' TERM; {FOREVER}")

pytestmark = pytest.mark.timeout(300)


class _Hiding:
    def of(self, app: str) -> Redaction:
        """Returns the same redaction for every app: it hides one secret value."""
        return Redaction([Secret(SECRET)])


@dataclass
class Collected:
    """An app whose lines are collected."""

    world: World
    api: Api
    home: Path

    def logs(self) -> KeptLogDirectory:
        """Returns the kept logs as another process would read them."""
        return KeptLogDirectory(self.home, KeepLimits(64 * 2**20, 86400.0), 0, ("kubernetes",))

    def start(self) -> PodLogCollector:
        """Starts a collector; returns it as soon as it collects."""
        collector = PodLogCollector(self.api, INSTANCE, self.logs(), _Hiding())
        threading.Thread(target=collector.run, daemon=True).start()
        wait_until(lambda: not self.logs().trouble("kubernetes"), allowed(15), "it collects")
        return collector

    def lines(self, **asked: object) -> list[str]:
        """Returns the kept lines, each with the number of its release and its replica."""
        found: list[KeptLine] = []
        self.logs().read(self.world.web.app, LogQuestion(**{"tail": 10**6, **asked}), found.extend)  # type: ignore[arg-type]
        return [f"r{line.origin.release}-{line.origin.replica} {line.text.decode()}" for line in found]

    def await_lines(self, *wanted: str) -> None:
        """Waits until these lines are kept, and no others."""
        wait_until(lambda: sorted(self.lines()) == sorted(wanted), allowed(30), f"{wanted}, not {self.lines()}")


@pytest.fixture
def collected(app: str, kube_api: Api, tmp_path: Path) -> Collected:
    return Collected(cluster_kit.kubernetes_world(app, kube_api), kube_api, tmp_path)


@pytest.fixture
def collecting(collected: Collected) -> Iterator[Collected]:
    collector = collected.start()
    yield collected
    collector.stop()


def test_lines_outlive_their_pod_and_its_last_ones_are_among_them(collecting: Collected) -> None:
    world = collecting.world
    work = replace(world.worker, argv=PARTS)
    world.roll(work)
    collecting.await_lines("r1-1 started as ***")
    world.roll(next_release(work))
    collecting.await_lines("r1-1 started as ***", "r1-1 bye", "r2-1 started as ***")
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in collecting.home.rglob("*.*"))
    logs, app = collecting.logs(), world.web.app
    wait_until(lambda: len(logs.containers(app)) == 1, allowed(30), "the pod that is gone is forgotten")
    assert len(logs.origins(app)) == 2


def test_the_lines_of_a_pod_that_never_served_are_kept(collecting: Collected) -> None:
    collecting.world.refused(replace(collecting.world.worker, argv=CRASHES))
    found = collecting.lines()
    assert set(found) == {"r1-1 oops", "r1-1 trouble"}, found


def test_a_program_that_is_started_again_is_read_on_and_each_line_once(collecting: Collected) -> None:
    world = collecting.world
    world.roll(replace(world.worker, argv=sh("date +up-%s%N; sleep 6; date +down-%s%N; exit 1")))
    wait_until(lambda: sum("up" in line for line in collecting.lines()) == 3, allowed(90), "it was started again twice")
    found = collecting.lines()
    assert len(found) == len(set(found)), found
    assert [line.split()[1][:2] for line in found] == ["up", "do", "up", "do", "up"]


def test_the_next_process_reads_on_and_each_line_once(collected: Collected) -> None:
    counts = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"
    first = collected.start()
    collected.world.roll(replace(collected.world.worker, argv=sh(counts)))
    wait_until(lambda: len(collected.lines()) > 20, allowed(30), "the first one collects")
    first.stop()
    second = collected.start()
    before = len(collected.lines())
    wait_until(lambda: len(collected.lines()) > before + 40, allowed(60), "the second one collects")
    second.stop()
    found = [line.split()[1] for line in collected.lines()]
    assert found == [str(number) for number in range(1, len(found) + 1)]


def test_much_output_is_kept_whole_and_in_order(collecting: Collected) -> None:
    much = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done"
    collecting.world.roll(replace(collecting.world.worker, argv=sh(f"{much}; {FOREVER}")))
    wait_until(lambda: len(collecting.lines()) >= 20000, allowed(60), "all of it is kept")
    found = collecting.lines()
    assert found == [f"r1-1 line {number}" for number in range(1, 20001)] and MISSING not in "".join(found)


def test_pods_have_the_numbers_of_their_release(collecting: Collected) -> None:
    world = collecting.world
    world.roll(replace(world.worker, argv=sh(f"echo here; {FOREVER}"), replicas=2))
    collecting.await_lines("r1-1 here", "r1-2 here")
    assert collecting.lines(replica=2) == ["r1-2 here"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("1970-01-01T00:00:01.000000002Z", 1_000_000_002),
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        ("1969-12-31T23:00:01.12-01:00", 1_120_000_000),
    ],
)
def test_the_time_of_an_entry_has_nanoseconds_and_a_zone(moment: str, expected: int) -> None:
    assert nanoseconds(moment) == expected
