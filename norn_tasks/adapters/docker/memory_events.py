"""The engine's events about containers that ran out of memory.

The end of a container, and the kill of a process in it for lack of memory, are reported to the engine separately. If
the kill is reported after the end, the container does not get the mark `OOMKilled`. Then only an event `oom` says why
it ended (seen with Docker 20.10 on a loaded machine).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown, StepFailed

_LATE = timedelta(seconds=1)
"""How long after the end of a container the event `oom` may come."""


def ran_out_of_memory(engine: EngineClient, container: str, started: datetime) -> bool:
    """Returns whether the engine has reported, or reports within a second, that a process lacked memory.

    Returns False if the engine does not respond, because the exit code is known anyway.
    """

    def events(client: APIClient) -> list[Any]:
        # The engine takes both times in whole seconds, and sends events until the later time has passed.
        until = datetime.fromisoformat(client.info()["SystemTime"]) + _LATE
        only = {"type": "container", "event": "oom", "container": container}
        return list(client.events(since=int(started.timestamp()), until=int(until.timestamp()) + 1, filters=only))

    try:
        return bool(engine.briefly(events))
    except (EngineDown, StepFailed):
        return False
