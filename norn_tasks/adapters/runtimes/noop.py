"""The runtime `noop`: takes the place of the container only, so that everything around it can be measured.

What the ledger is told is true: a run is recorded, begun and ended in this order, and its times are those moments.
There is nothing on the engine, so there is nothing to remove or to see. Inert outside the test build.
"""

from __future__ import annotations

from datetime import UTC, datetime

from norn_tasks.domain.execution import Ended
from norn_tasks.ports import Hooks, Run, Runtime, SeenContainer, Watch

IDENTITY = "noop"
"""The engine of which a release must be, for its runs to be taken by a worker with this runtime."""


class NoopRuntime:
    """Keeps `ports.Runtime` without an engine: every run ends well in the moment in which it begins."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> Ended:
        """Records, begins and ends."""
        hooks.created(run.name)
        watch.stop.check()
        hooks.begun()
        return _ended()

    def adopt(self, run: Run, container: str, watch: Watch) -> Ended | None:
        """Answers the end that a begun run had in the moment in which it began."""
        return _ended()

    def remove(self, container: str) -> None:
        """Finds nothing to remove."""

    def identity(self) -> str:
        """Answers the same id everywhere."""
        return IDENTITY

    def seen(self) -> tuple[SeenContainer, ...]:
        """Sees none."""
        return ()


def _ended() -> Ended:
    now = datetime.now(UTC)
    return Ended(0, started_at=now, finished_at=now)


def instead_of(real: dict[str, Runtime], *, wanted: bool, test_build: bool) -> dict[str, Runtime]:
    """Answers the runtimes that runs get: the real ones, whatever is wanted, in every build but a test's."""
    if not (wanted and test_build):
        return real
    return {name: NoopRuntime(name) for name in real}
