"""Measures the CPU time and the memory that replicas use, with one short call to the engine for each replica.

The engine answers from the kernel's counters in about 5 ms, without waiting for a second measurement. Norn computes the
CPU use from the difference between two observations.
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
"""The most seconds that one observation spends on these measurements, so that a slow engine does not delay it.

A replica that is not measured in time keeps its previous measurement.
"""
_AT_ONCE = 8


def measured(engine: EngineClient, replicas: Iterable[ReplicaContainer]) -> dict[str, ReplicaUsage]:
    """Returns the usage of each running replica, keyed by container id; replicas that were not measured in time are
    left out.
    """
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
        # the container no longer exists; or the engine is slow, too old, or behind a proxy that refuses the call
        return None


def _usage(each: ReplicaContainer, stats: dict[str, Any]) -> ReplicaUsage | None:
    """Returns the usage from the engine's answer; None if the container has ended since it was listed."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    # the names of the field in cgroup 1 and in cgroup 2
    droppable = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    return ReplicaUsage(
        each.id,
        datetime.fromisoformat(stats["read"]).timestamp(),
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        max(0, int(memory["usage"]) - droppable),
        each.row.memory if each.row is not None else None,
    )
