"""How replicas leave, in three moves: out of the routes, their open requests end, SIGTERM (architecture.md, router)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from norn_tasks.adapters import patience
from norn_tasks.adapters.engine import Engine
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.replica import Replica, ReplicaState
from norn_tasks.ports import Replicas, Watch

_GRACE = 10
_PAUSE = 0.1


class Retirement:
    """Retires replicas of the docker cluster; `drain` seconds are what open requests get to end."""

    def __init__(self, engine: Engine, replicas: Replicas, drain: float) -> None:
        self._engine = engine
        self._replicas = replicas
        self._drain = drain

    def retire(self, leaving: Iterable[Replica], watch: Watch) -> None:
        """Takes all of them out together, and returns when they are gone."""
        rows = list(leaving)
        routed = [row for row in rows if row.state != ReplicaState.STARTING and row.address]
        for row in rows:
            self._replicas.leaving(row.container, watch.fence)
        self._until_drained(routed, watch)
        stops = [patience.begin(lambda it=row.container: self._stop(it)) for row in rows]  # type: ignore[misc]
        for stop in stops:
            patience.wait(stop, watch.stop)
        for row in rows:
            self._engine.take_away(row.container)
            self._replicas.gone(row.container, watch.fence)

    def _until_drained(self, rows: Sequence[Replica], watch: Watch) -> None:
        until = time.monotonic() + self._drain
        while time.monotonic() < until and not all(self._replicas.drained(row.container) for row in rows):
            watch.stop.wait(_PAUSE)
            watch.stop.check()

    def _stop(self, container: str) -> None:
        try:
            self._engine.ask(lambda client: client.stop(container, timeout=_GRACE))
        except NotFound:
            return
