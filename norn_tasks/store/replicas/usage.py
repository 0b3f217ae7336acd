"""The usage of replicas. The number of processors that a replica uses is computed from two successive measurements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from norn_tasks.domain.jobs.app_status import ReplicaStatus, ReplicaUsage


def compared(replicas: Iterable[ReplicaStatus], stored: Iterable[dict[str, Any]]) -> tuple[ReplicaStatus, ...]:
    """Returns replicas with the processors that each used since its previous measurement, which is in `stored`."""
    known = [ReplicaUsage(**each["usage"]) for each in stored if each.get("usage")]
    before = {usage.container: usage for usage in known}
    return tuple(
        replace(each, usage=_since(before.get(each.usage.container), each.usage)) if each.usage else each
        for each in replicas
    )


def _since(before: ReplicaUsage | None, now: ReplicaUsage) -> ReplicaUsage:
    """Returns the measurement with the processors used since `before`; without them if the program was restarted.

    Keeps the written bytes of `before` if they were not measured this time.
    """
    if before is not None and now.written is None:
        now = replace(now, written=before.written)
    if before is None or now.at <= before.at or now.cpu_seconds < before.cpu_seconds:
        return now
    return replace(now, cpus=round((now.cpu_seconds - before.cpu_seconds) / (now.at - before.at), 4))
