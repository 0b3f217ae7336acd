"""The gate that a new replica passes before a request is sent to it or an old one goes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from norn_tasks.adapters.docker_cluster import diagnosis, probe
from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.world import Seen
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.ports import Stop, Workload

_FIRST, _AGAIN = 0.05, 0.25
"""Seconds until the second look, and between the later ones."""


@dataclass(frozen=True)
class Gates:
    """How long a gate may take, and how long (seconds) a worker must stay up to pass it."""

    timeout: float
    stay_up: float


class Gate:
    """The gate of one workload's replicas."""

    def __init__(self, containers: Containers, workload: Workload, gates: Gates, stop: Stop) -> None:
        self._containers = containers
        self._workload = workload
        self._gates = gates
        self._stop = stop

    def passed(self, container: str) -> str:
        """Waits until it has passed, and answers its address ('' without a port).

        Raises RolloutFailed as soon as it cannot pass any more, or when the time is up.
        """
        begun, pause = time.monotonic(), _FIRST
        while True:
            seen = self._seen(container)
            since = time.monotonic() - begun
            if self._workload.port is None:
                if since >= self._gates.stay_up:
                    return ""
            else:
                knock = self._knock(seen, self._workload.port)
                if knock.well:
                    return f"{seen.ip}:{self._workload.port}"
                if since >= self._gates.timeout:
                    raise self._late(container, knock)
            self._stop.wait(pause)
            self._stop.check()
            pause = min(2 * pause, _AGAIN)

    def _seen(self, container: str) -> Seen:
        seen = self._containers.see(container)
        if seen is None:
            raise diagnosis.removed()
        if not seen.running:
            raise diagnosis.ended(self._workload, seen, self._containers.last_lines(container))
        return seen

    def _knock(self, seen: Seen, port: int) -> probe.Knock:
        if self._workload.healthcheck is None:
            return probe.accepts(seen.ip, port, self._stop)
        return probe.answers(seen.ip, port, self._workload.healthcheck, self._workload.internal_host, self._stop)

    def _late(self, container: str, knock: probe.Knock) -> RolloutFailed:
        lines = self._containers.last_lines(container)
        if knock.word is None:
            return diagnosis.not_listening(self._workload, self._gates.timeout, lines)
        return diagnosis.not_healthy(self._workload, knock.word, self._gates.timeout, lines)
