"""A container engine in memory, with the containers that a fake runtime made on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from norn_tasks.domain.errors import EngineDown
from norn_tasks.ports import Run, RunsReach, SeenContainer

REACHED = RunsReach("10.99.0.1/16", host=True, metadata=False)


@dataclass(frozen=True)
class FakeContainer:
    """A container of the fake engine; `started` is the time of its start, None before the start."""

    id: str
    run: Run
    fence: int
    created: float
    started: float | None = None


@dataclass
class FakeEngine:
    """A fake of `ports.Engine`. Tests read `containers`. `down`: the engine does not respond. `runs`: whether a
    container is running.
    """

    name: str = "docker"
    id: str = "fake-engine"
    down: bool = False
    reached: RunsReach = REACHED
    containers_by_id: dict[str, FakeContainer] = field(default_factory=dict)
    runs: Callable[[FakeContainer], bool] = lambda each: each.started is not None

    def identity(self) -> str:
        """Returns the engine's id."""
        self.answer()
        return self.id

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists the containers."""
        self.answer()
        return tuple(
            SeenContainer(each.id, each.run.name, each.run.owner, self.runs(each), time.monotonic() - each.created)
            for each in self.containers_by_id.values()
        )

    def remove(self, container: str) -> None:
        """Removes a container."""
        for each in list(self.containers_by_id.values()):
            if container in (each.id, each.run.name):
                del self.containers_by_id[each.id]

    def reach(self) -> RunsReach:
        """Returns the value that the test has set."""
        self.answer()
        return self.reached

    def answer(self) -> None:
        """Raises EngineDown while it is down."""
        if self.down:
            raise EngineDown("the fake engine does not answer")
