"""Measures how many bytes replicas have written outside of their volumes, that is into the writable layers of their
containers.

With the storage driver overlay2, the engine cannot limit these bytes on most file systems, so Norn only measures them.
For a measurement the engine reads every file of a layer, which may take seconds. So each layer is measured only every
few minutes, and one observation spends little time on layers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed
from norn_tasks.domain.jobs.app_status import ReplicaUsage

EVERY = 300.0
"""Seconds between two measurements of a layer."""
_WITHIN = 2.0
"""Seconds after which an observation starts no further measurement; the next observation continues."""
_LONGEST = 10.0
"""The most seconds of one measurement. A layer with too many files for that is not measured."""


@dataclass(frozen=True)
class _Layer:
    """The last measurement of a layer; `written` is None if the engine took too long or the container no longer
    existed.
    """

    at: float = float("-inf")
    written: int | None = None


class LayerSizes:
    """The sizes of the layers of an engine's replicas, as this process measured them; `every` is the seconds between
    two measurements.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._layers: Mapping[str, _Layer] = {}

    def measure(self, engine: EngineClient, containers: Iterable[str]) -> None:
        """Measures the layers of these containers that are due, and forgets all other layers."""
        began, layers = time.monotonic(), {each: self._layers.get(each, _Layer()) for each in containers}
        for container in sorted(layers, key=lambda each: layers[each].at):
            now = time.monotonic()
            if now - began >= _WITHIN or now - layers[container].at < self._every:
                break
            layers[container] = _Layer(now, _written(engine, container))
        self._layers = layers

    def added(self, usage: Mapping[str, ReplicaUsage]) -> dict[str, ReplicaUsage]:
        """Returns the usage of each container, with the size of its layer added."""
        return {each: replace(found, written=self._layers.get(each, _Layer()).written) for each, found in usage.items()}


def _written(engine: EngineClient, container: str) -> int | None:
    def read(client: APIClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.containers(all=True, size=True, filters={"id": container})
        return found

    try:
        found = engine.briefly(read, _LONGEST)
    except (NotFound, Conflict, StepFailed, EngineDown):
        return None
    return sum(int(each.get("SizeRw") or 0) for each in found) if found else None
