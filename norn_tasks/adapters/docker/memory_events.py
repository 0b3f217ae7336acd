"""The engine's events of containers that had too little memory.

An engine learns from different sources that a container ended and that a process in it was killed for lack of memory.
If the second report comes after the first, the mark `OOMKilled` of the ended container stays unset, and only an
event `oom` says why it ended (seen with Docker 20.10 on a loaded machine).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import EngineDown, StepFailed

_LATE = timedelta(seconds=1)
"""How long after the end of a container its event may come."""


def ran_out_of_memory(engine: EngineClient, container: str, started: datetime) -> bool:
    """Returns whether the engine has reported, or reports within a second, that a process lacked memory.

    An engine that does not respond makes it False: the exit code is known all the same.
    """

    def events(client: APIClient) -> list[Any]:
        # Whole seconds: the engine reads both limits as such, and waits until the second one has come.
        until = datetime.fromisoformat(client.info()["SystemTime"]) + _LATE
        only = {"type": "container", "event": "oom", "container": container}
        return list(client.events(since=int(started.timestamp()), until=int(until.timestamp()) + 1, filters=only))

    try:
        return bool(engine.briefly(events))
    except (EngineDown, StepFailed):
        return False
