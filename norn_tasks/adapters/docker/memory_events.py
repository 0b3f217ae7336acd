"""Reads the engine's events about containers that ran out of memory.

When the kernel kills a container's process for lack of memory, the engine learns of the kill and of the container's end
separately. If it learns of the kill last, it does not mark the container as `OOMKilled`, and only an event `oom` says
why it ended (seen with Docker 20.10 on a loaded machine).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown, StepFailed

_LATE = timedelta(seconds=1)
"""How long after the end of a container the event `oom` may arrive."""


def ran_out_of_memory(engine: EngineClient, container: str, started: datetime) -> bool:
    """Returns True if the engine reports, within a second, that a process of the container was out of memory.

    Returns False if the engine does not respond, because the container's exit code is already known.
    """

    def events(client: APIClient) -> list[Any]:
        # The engine takes both times in whole seconds. It sends events until the second time has passed.
        until = datetime.fromisoformat(client.info()["SystemTime"]) + _LATE
        only = {"type": "container", "event": "oom", "container": container}
        return list(client.events(since=int(started.timestamp()), until=int(until.timestamp()) + 1, filters=only))

    try:
        return bool(engine.briefly(events))
    except (EngineDown, StepFailed):
        return False
