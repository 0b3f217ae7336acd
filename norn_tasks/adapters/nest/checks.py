"""Checks the nest (the container in which crun starts runs) for `norn doctor`: is it ready, and if not, why?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.assembly import nest_on


def checks(engine: str, data: Path) -> Iterator[tuple[str, str]]:
    """Yields a sentence about the nest of a data directory, with a hint if it is not ready."""
    keeper = nest_on(DockerEngine(EngineClient(engine, timeout=5)), data).keeper
    found = keeper.trusted()
    if found is not None:
        yield f"the nest is ready (cgroup v{found['cgroup']}): calls and cron runs start in it", ""
        return
    why = keeper.noted() or "no worker has made it yet"
    yield f"the nest is not ready, and runs go through Docker: {why}", "norn logs --server worker-invoke; docs/nest.md"
