"""Removes replicas. The router stops sending requests to a replica; when its open requests and its program have ended,
its container and its row are removed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.ports import Replicas, Watch

_AGAIN = 0.1
"""The seconds between two checks of a replica whose last requests are ending."""


class Retirement:
    """Removes replicas; `drain`: seconds to wait for open requests. Any worker may finish another worker's removal."""

    def __init__(self, containers: Containers, replicas: Replicas, watch: Watch, drain: float) -> None:
        self._containers = containers
        self._replicas = replicas
        self._watch = watch
        self._drain = drain

    def take(self, leaving: Sequence[ReplicaContainer]) -> None:
        """Removes these replicas, all at the same time."""
        self._out(leaving)
        self._drained(leaving)
        # This is written again, because this worker may have been frozen and lost its lease: then the write fails, and
        # no replica is ended.
        self._out(leaving)
        self._containers.end(leaving)
        for each in leaving:
            self._containers.remove(each.id)
            self._replicas.gone(each.id, self._watch.fence)

    def _out(self, leaving: Sequence[ReplicaContainer]) -> None:
        for each in leaving:
            self._replicas.leaving(each.id, self._watch.fence)

    def _drained(self, leaving: Sequence[ReplicaContainer]) -> None:
        until = time.monotonic() + self._drain
        busy = [each.id for each in leaving if each.routed and not each.hung]
        while busy and time.monotonic() < until:
            busy = [container for container in busy if not self._replicas.drained(container)]
            if busy:
                self._watch.stop.wait(_AGAIN)
                self._watch.stop.check()
