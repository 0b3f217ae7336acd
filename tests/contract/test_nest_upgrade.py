"""The nest (the container in which crun starts runs) of an earlier Norn: the runs in it continue to their ends, new
runs go through Docker, and then the nest is replaced.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.own_image import NAME, image_tag
from norn_tasks.adapters.nest.roads import Nest, TwoRoads
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import StepFailed
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Run
from tests.contract.conftest import IMAGE
from tests.fakes.stop import FakeWatch
from tests.nest import made, runtime_of
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(600)


@dataclass
class Owner:
    """Hooks that note when the code begins."""

    begins: threading.Event = field(default_factory=threading.Event)

    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        self.begins.set()


@pytest.fixture
def older(engine: EngineClient, tmp_path: Path, app: str) -> Iterator[NestKeeper]:
    """A keeper whose nest was started by a Norn of another version."""
    with made(engine, tmp_path / "nest") as keeper:
        keeper.remove()
        engine.ask(lambda client: client.tag(image_tag(), NAME, app))
        try:
            keeper._start(f"{NAME}:{app}")
            keeper._answers(f"{NAME}:{app}")
            yield keeper
        finally:
            keeper.remove()
            engine.ask(lambda client: client.remove_image(f"{NAME}:{app}"))


def test_the_nest_of_an_earlier_norn_is_replaced_after_its_runs(
    older: NestKeeper, clean_engine: EngineClient, app: str
) -> None:
    run = Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE,
        argv=("true",), env={}, timeout=60, memory=32 * 2**20, cpus=1, network="none",
    )  # fmt: skip
    ends: list[ContainerExit] = []
    owner, watch, nest = Owner(), FakeWatch(), runtime_of(older, clean_engine)
    roads = TwoRoads(DockerRuntime(DockerEngine(clean_engine)), nest, Nest(older))
    slow = replace(run, argv=("sh", "-c", "sleep 15; echo to the end"))
    first = threading.Thread(target=lambda: ends.append(nest.run(slow, owner, watch.watch)))
    first.start()
    assert owner.begins.wait(allowed(60))
    wait_until(lambda: [each.running for each in nest.on.containers()] == [True], allowed(20), "the code runs")
    with pytest.raises(StepFailed, match="still has runs: 1"):
        older.make()
    other = replace(run, name=f"norn-x-{app}-2")
    assert roads.run(other, Owner(), FakeWatch().watch).place == ""
    first.join(allowed(60))
    assert [(each.exit_code, each.stdout.head) for each in ends] == [(0, b"to the end\n")]
    assert older.make()["build"] == image_tag()
    assert nest.run(other, Owner(), FakeWatch().watch).exit_code == 0
