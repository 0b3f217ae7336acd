"""Removes replicas. The router stops sending requests to a replica. When the replica's open requests have ended, or a
time limit has passed, its program is ended, and its container and its row are removed.

A replica that still has open connections at the time limit may drain: it keeps running, without new requests, until the
connections have ended or a second time limit has passed. Then another job removes it (`finish`), so that the
deploy need not wait.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.domain.quantities import duration_text
from norn_tasks.ports import Replicas, Watch

_AGAIN = 0.1
"""The seconds between two checks of a replica whose last requests are ending."""


class Retirement:
    """Removes replicas; `drain`: seconds to wait for open requests. Any worker may finish another worker's removal.

    `streams`: seconds for which a replica that still has open connections may keep running after that wait.
    """

    def __init__(
        self, containers: Containers, replicas: Replicas, watch: Watch, drain: float, streams: float = 0
    ) -> None:
        self._containers = containers
        self._replicas = replicas
        self._watch = watch
        self._drain = drain
        self._streams = streams

    def take(self, leaving: Sequence[ReplicaContainer]) -> None:
        """Removes these replicas, all at the same time, except those that may drain."""
        self._out(leaving)
        busy = self._drained(leaving)
        # This is written again, because this worker may have been frozen and lost its lease: then the write fails, and
        # no replica is ended.
        self._out(leaving)
        draining = [each.id for each in leaving if each.id in busy and self._drains(each)]
        self._remove([each for each in leaving if each.id not in draining])

    def finish(self, drained: Sequence[ReplicaContainer]) -> int:
        """Removes draining replicas whose time is over, unless they have left that state; returns how many it
        removed.
        """
        over = [each for each in drained if self._replicas.ending(each.id, self._watch.fence)]
        self._remove(over)
        return len(over)

    def _remove(self, replicas: Sequence[ReplicaContainer]) -> None:
        self._containers.end(replicas)
        for each in replicas:
            self._containers.remove(each.id)
            self._replicas.gone(each.id, self._watch.fence)

    def _drains(self, each: ReplicaContainer) -> bool:
        """Lets a replica drain if it may; returns False if it must end now.

        The replica loses its internal host name first. If the worker dies in between, the row still says that the
        replica is being removed, and the next worker begins again.
        """
        if self._streams <= 0 or not self._containers.unname(each):
            return False
        self._replicas.draining(each.id, self._streams, self._watch.fence)
        most = duration_text(round(self._streams))
        self._watch.say(f"{each.name} keeps running for its open connections, for {most} at most\n")
        return True

    def _out(self, leaving: Sequence[ReplicaContainer]) -> None:
        for each in leaving:
            self._replicas.leaving(each.id, self._watch.fence)

    def _drained(self, leaving: Sequence[ReplicaContainer]) -> list[str]:
        """Waits for the open requests; returns the containers that still have some. Replicas that drain already are not
        waited for again.
        """
        until = time.monotonic() + self._drain
        busy = [each.id for each in leaving if each.routed and not each.hung and not each.draining]
        while busy and time.monotonic() < until:
            busy = [container for container in busy if not self._replicas.drained(container)]
            if busy:
                self._watch.stop.wait(_AGAIN)
                self._watch.stop.check()
        return busy
