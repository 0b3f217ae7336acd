"""Turns stored replicas into responses: each replica with its usage, and the sum of an app's usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from norn_api.schemas.apps import ReplicaResponse, UsageResponse


def replica_response(stored: dict[str, Any]) -> ReplicaResponse:
    """Returns the response for a replica as the last observation stored it."""
    usage = stored.get("usage")
    return ReplicaResponse(**{**stored, "usage": _usage(usage) if usage else None})


def _usage(stored: dict[str, Any]) -> UsageResponse:
    return UsageResponse(
        cpus=stored["cpus"],
        memory=stored["memory"],
        memory_limit=stored["memory_limit"],
        measured_at=datetime.fromtimestamp(stored["at"], UTC),
    )


def usage_sum(parts: Sequence[UsageResponse]) -> UsageResponse | None:
    """Returns the usage of an app; if one replica has no memory limit, the sum has no limit either."""
    if not parts:
        return None
    cpus = [each.cpus for each in parts if each.cpus is not None]
    limits = [each.memory_limit for each in parts]
    return UsageResponse(
        cpus=round(sum(cpus), 4) if cpus else None,
        memory=sum(each.memory for each in parts),
        memory_limit=None if None in limits else sum(filter(None, limits)),
        measured_at=min(each.measured_at for each in parts),
    )
