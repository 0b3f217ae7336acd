"""The runtime `noop`, for benchmarks: it starts no container, so that everything else about a run can be measured.

Everything that the ledger records about a run is true: the run is recorded, begun and ended in this order, at the
recorded times. No container exists, so nothing must be removed or listed. This runtime is only used if the setting
NORN_TEST_BUILD is on.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Engine, Hooks, Run, RunsReach, Runtime, SeenContainer, StartsAtOnce, Watch

IDENTITY = "noop"
"""The id of this runtime's engine. A worker with this runtime may claim runs that are bound to this engine."""


class NoopEngine:
    """Implements `ports.Engine` without a container engine."""

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self) -> str:
        """Returns the same id everywhere."""
        return IDENTITY

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists no containers."""
        return ()

    def remove(self, container: str) -> None:
        """Removes nothing."""

    def reach(self) -> RunsReach:
        """Returns a RunsReach that says that nothing was tested."""
        return RunsReach("")


class NoopRuntime(StartsAtOnce):
    """Implements `ports.Runtime` without a container engine: every run succeeds as soon as it begins."""

    def __init__(self, name: str, engine: str = IDENTITY) -> None:
        self.name, self.engine = name, engine

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Does nothing, because nothing will be started."""
        return ""

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes nothing."""
        return 0

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Records and begins a run, and returns its end immediately."""
        hooks.created(run.name)
        watch.stop.check()
        hooks.begun()
        return _ended()

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Returns a successful end, because a run ends as soon as it begins."""
        return _ended()


def _ended() -> ContainerExit:
    now = datetime.now(UTC)
    return ContainerExit(0, started_at=now, finished_at=now)


def instead_of(real: dict[str, Runtime], *, wanted: bool, test_build: bool) -> dict[str, Runtime]:
    """Returns no-op runtimes if they are `wanted` and this is a test build, and otherwise the real runtimes."""
    if not (wanted and test_build):
        return real
    return {name: NoopRuntime(name, runtime.engine) for name, runtime in real.items()}


def engines_instead_of(real: dict[str, Engine], *, wanted: bool, test_build: bool) -> dict[str, Engine]:
    """Returns the engines that belong to the runtimes which `instead_of` returns."""
    return {name: NoopEngine(name) for name in real} if wanted and test_build else real
