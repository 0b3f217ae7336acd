"""Runs whose nest (the container in which crun starts runs) has ended or lacks their image."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.door import Door
from norn_tasks.adapters.nest.engine import NestEngine
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.own_image import image_tag
from norn_tasks.adapters.nest.program import frames
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.adapters.nest.roads import Nest, TwoRoads
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.nest.sandbox import NestSandbox
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Run
from tests.fakes.nest import NoContainers, Silent, served
from tests.fakes.stop import FakeWatch
from tests.servers import allowed, wait_until

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
    """Any other end would let the caller repeat the step, and with it the code."""
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


def test_a_run_whose_image_is_not_in_the_nest_does_not_wait_for_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(link: Link) -> None:
        request = link.line() or {}
        asked.append(request["do"])
        refused = {"word": "image", "said": "the image was not brought"}
        trusted = {"build": image_tag(), "trusted": True, "there": True}
        link.send(*((frames.REFUSED, refused) if request["do"] == "run" else (frames.END, trusted)))

    class Docker(DockerRuntime):
        """A runtime that runs nothing."""

        def run(self, run: Run, hooks: object, watch: object) -> ContainerExit:
            return ContainerExit(0)

    served(tmp_path, answer)
    client = NoContainers()
    keeper = NestKeeper(client, "", tmp_path)
    fast = NestRuntime(NestEngine(keeper.door), NestImages(client, keeper.door))
    ended = TwoRoads(Docker(DockerEngine(client)), fast, Nest(keeper)).run(RUN, Hooks(), FakeWatch().watch)
    wait_until(lambda: len(asked) == 3, allowed(10), "the image is brought")
    assert (ended.exit_code, asked) == (0, ["look", "run", "bring"])
