"""The runtime `noop`: replaces only the container, so that all the rest of a run can be measured.

The ledger gets true facts: a run is recorded, begun and ended in this order, and its times are those moments. Nothing
is on the engine, so there is nothing to remove or to see. Inert outside the test build.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Engine, Hooks, Run, RunsReach, Runtime, SeenContainer, Watch

IDENTITY = "noop"
"""The id of the engine of this runtime: releases on it have runs that a worker with this runtime may claim."""


class NoopEngine:
    """Implements `ports.Engine` without an engine."""

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self) -> str:
        """Returns the same id everywhere."""
        return IDENTITY

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists none."""
        return ()

    def remove(self, container: str) -> None:
        """Removes nothing."""

    def reach(self) -> RunsReach:
        """Returns that nothing was tried."""
        return RunsReach("")


class NoopRuntime:
    """Implements `ports.Runtime` without an engine: every run succeeds at the moment it begins."""

    def __init__(self, name: str, engine: str = IDENTITY) -> None:
        self.name, self.engine = name, engine

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Does nothing: nothing is started."""
        return ""

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes nothing."""
        return 0

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Records, begins and ends."""
        hooks.created(run.name)
        watch.stop.check()
        hooks.begun()
        return _ended()

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Returns the end that a run had at the moment it began."""
        return _ended()


def _ended() -> ContainerExit:
    now = datetime.now(UTC)
    return ContainerExit(0, started_at=now, finished_at=now)


def instead_of(real: dict[str, Runtime], *, wanted: bool, test_build: bool) -> dict[str, Runtime]:
    """Returns the runtimes that runs get: outside a test build always the real ones."""
    if not (wanted and test_build):
        return real
    return {name: NoopRuntime(name, runtime.engine) for name, runtime in real.items()}


def engines_instead_of(real: dict[str, Engine], *, wanted: bool, test_build: bool) -> dict[str, Engine]:
    """Returns the engines for the same choice of runtimes."""
    return {name: NoopEngine(name) for name in real} if wanted and test_build else real
