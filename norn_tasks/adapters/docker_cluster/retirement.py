"""The last moves of a replica: out of the routes, its requests end, its program ends, container and row are gone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.ports import Replicas, Watch

_AGAIN = 0.1
"""The seconds between two looks at a replica that drains."""


class Retirement:
    """Takes replicas away; `drain`: seconds for which open requests are waited for. Any owner may finish another's."""

    def __init__(self, containers: Containers, replicas: Replicas, watch: Watch, drain: float) -> None:
        self._containers = containers
        self._replicas = replicas
        self._watch = watch
        self._drain = drain

    def take(self, leaving: Sequence[ReplicaContainer]) -> None:
        """Takes these away, all at once."""
        self._out(leaving)
        self._drained(leaving)
        # Written again, so that a worker that was frozen in between and lost its lease ends nothing.
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
