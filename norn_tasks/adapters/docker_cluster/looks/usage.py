"""Looks at the processors and the memory that replicas use: one short question to the engine for each.

The engine answers from the kernel's counters, in some 5 ms. It never waits for a second measurement: the processors are
the difference between two looks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from docker import APIClient
from docker.errors import InvalidVersion

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed
from norn_tasks.domain.jobs.app_status import ReplicaUsage

WITHIN = 3.0
"""Seconds for the measurements of one look: a slow engine delays no look, and what is not measured keeps its age."""
_AT_ONCE = 8


def measured(engine: EngineClient, replicas: Iterable[ReplicaContainer]) -> dict[str, ReplicaUsage]:
    """Returns the usage of each running replica by container, without those that the engine did not measure in time."""
    until = time.monotonic() + WITHIN
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(_measured, engine, each, until) for each in replicas if each.running]
    return {usage.container: usage for each in asked if (usage := each.result()) is not None}


def _measured(engine: EngineClient, each: ReplicaContainer, until: float) -> ReplicaUsage | None:
    left = until - time.monotonic()
    if left <= 0:
        return None

    def read(client: APIClient) -> dict[str, Any]:
        found: dict[str, Any] = client.stats(each.id, stream=False, one_shot=True)
        return found

    try:
        return _usage(each, engine.briefly(read, left))
    except (NotFound, Conflict, StepFailed, EngineDown, InvalidVersion):
        return None  # it is gone, or the engine is slow, too old, or behind a proxy that refuses it


def _usage(each: ReplicaContainer, stats: dict[str, Any]) -> ReplicaUsage | None:
    """Returns the usage from an answer of the engine; None for a container that has ended in the meantime."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    droppable = int(details.get("total_inactive_file", details.get("inactive_file", 0)))  # cgroup 1, or 2
    return ReplicaUsage(
        each.id,
        datetime.fromisoformat(stats["read"]).timestamp(),
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        max(0, int(memory["usage"]) - droppable),
        each.row.memory if each.row is not None else None,
    )
