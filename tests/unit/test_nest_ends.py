"""The ends of runs whose nest is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.door import Door
from norn_tasks.adapters.nest.engine import NestEngine
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.roads import Nest, TwoRoads
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.nest.sandbox import NestSandbox
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Stopped
from norn_tasks.ports import Run
from tests.fakes.nest import NoContainers, Silent
from tests.fakes.stop import FakeWatch

RUN = Run(
    name="norn-x-1", app="a", owner="execution:1", image="sha256:1", argv=("true",), env={}, timeout=0, memory=1, cpus=1
)


class Hooks:
    """Hooks that record nothing."""

    taken_back = None

    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        """Notes nothing."""

    def never_begun(self) -> int:
        """Notes nothing."""
        return 0


def test_a_run_whose_nest_is_gone_when_a_signal_is_due_was_interrupted(tmp_path: Path) -> None:
    """Another end would make the caller try the step, and with it the code, once more."""
    sandbox = NestSandbox(Door(tmp_path), Silent(), "nest-1", RUN, FakeWatch().watch, begun=False)
    assert sandbox.live(Hooks()).interrupted


def test_a_cancelled_run_does_not_wait_for_ever_for_a_nest_that_is_gone(tmp_path: Path) -> None:
    watch = FakeWatch()
    sandbox = NestSandbox(Door(tmp_path), Silent(), "nest-1", RUN, watch.watch, begun=True, away=0)
    watch.stop.set("cancelled")
    with pytest.raises(Stopped), sandbox.owned():
        watch.stop.check()


def test_a_run_of_a_nest_that_is_gone_has_no_known_end(tmp_path: Path) -> None:
    client = NoContainers()
    keeper = NestKeeper(client, "", tmp_path)
    fast = NestRuntime(NestEngine(keeper.door), NestImages(client, keeper.door))
    roads = TwoRoads(DockerRuntime(DockerEngine(client)), fast, Nest(keeper))
    assert roads.adopt(RUN, "nest-1", FakeWatch().watch) is None
