"""Reads from the engine's events how the programs of replicas ended.

The engine restarts a replica immediately after its end, and the container then shows no trace of the end. Only the
events say with which code it ended, and whether it ran out of memory. The engine keeps its last few hundred events.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import APP, INSTANCE, EngineClient
from norn_tasks.domain.errors import NotFound, StepFailed
from norn_tasks.domain.jobs.replica import ReplicaEnd

SINCE = 90
"""The seconds of events that one observation reads. Several observations read the same end, but it is recorded only
once.
"""
_KILLED_SOON = 5 * 10**9
"""Nanoseconds within which a container ends after the kernel killed one of its processes for lack of memory."""


def ends(engine: EngineClient, instance: str) -> dict[str, list[ReplicaEnd]]:
    """Returns the recent ends of each container, oldest first; empty if the engine does not show its events."""
    now = int(time.time())

    def read(client: APIClient) -> list[dict[str, Any]]:
        chosen = {"type": "container", "event": ["die", "oom"], "label": [f"{INSTANCE}={instance}", APP]}
        return list(client.events(since=now - SINCE, until=now, filters=chosen, decode=True))

    try:
        events = engine.briefly(read)
    except (NotFound, StepFailed):
        # a proxy in front of the engine may refuse events; the count of restarts still shows that replicas ended
        return {}
    return _paired(events)


def _paired(events: list[dict[str, Any]]) -> dict[str, list[ReplicaEnd]]:
    """Returns the ends. Each says whether the kernel had killed a process of the container for lack of memory."""
    found: dict[str, list[ReplicaEnd]] = {}
    out_of_memory: dict[str, int] = {}
    for event in events:
        container, at = event["Actor"]["ID"], int(event["timeNano"])
        if event["Action"] == "oom":
            out_of_memory[container] = at
            continue
        code = event["Actor"]["Attributes"].get("exitCode", "")
        killed = at - out_of_memory.get(container, at - 2 * _KILLED_SOON) < _KILLED_SOON and code != "0"
        moment = datetime.fromtimestamp(at / 10**9, UTC)
        found.setdefault(container, []).append(
            ReplicaEnd(container, moment, int(code) if code.isdigit() else None, killed)
        )
    return found
