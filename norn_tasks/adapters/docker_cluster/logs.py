"""What an app's replicas say, merged: of those that run, and, while following, of those that a later rollout brings."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from norn_tasks.adapters.docker_cluster.containers import Containers, Found
from norn_tasks.adapters.engine import Engine
from norn_tasks.adapters.lines import Lines
from norn_tasks.domain.errors import NornError
from norn_tasks.ports import Stop

_LOOK = 1.0
_HELD = 1000
"""Lines that wait for a slow reader; the replicas' connections wait behind them."""


class LogReader:
    """Reads the logs of one app for one reader."""

    def __init__(self, containers: Containers, emit: Callable[[str, str], None], stop: Stop) -> None:
        self._containers = containers
        self._emit = emit
        self._stop = stop
        self._lines: queue.Queue[tuple[str, str]] = queue.Queue(_HELD)
        self._sources: dict[str, _Source] = {}

    def read(self, app: str, tail: int) -> None:
        """Emits the last lines of each replica."""
        for replica in self._containers.of_app(app):
            log = self._containers.engine.promptly(
                lambda client, it=replica.id: client.logs(it, tail=tail),  # type: ignore[misc]
                self._stop,
            )
            lines = Lines()
            for line in (*lines.feed(log), *lines.end()):
                self._emit(replica.name, line)

    def follow(self, app: str, tail: int) -> None:
        """Emits the last lines of each replica, then all that come, of new replicas too, until it is stopped."""
        try:
            while True:
                self._attend(app, tail)
                self._pass_on()
                self._stop.check()
        finally:
            for source in self._sources.values():
                source.close()

    def _attend(self, app: str, tail: int) -> None:
        try:
            replicas = self._containers.of_app(app)
        except NornError:
            # The engine is away: its replicas are looked for again at the next look.
            return
        known = set(self._sources)
        self._sources = {each: source for each, source in self._sources.items() if source.alive}
        for replica in replicas:
            if replica.id not in self._sources and replica.state == "running":
                # Of one that was followed before only what comes now is new: it was restarted.
                held = tail if replica.id not in known else 0
                self._sources[replica.id] = _Source(self._containers.engine, replica, held, self._lines)

    def _pass_on(self) -> None:
        """Emits what comes until it is time for the next look."""
        timer = threading.Event()
        clock = threading.Timer(_LOOK, timer.set)
        clock.daemon = True
        clock.start()
        while not timer.is_set() and self._stop.reason is None:
            try:
                self._emit(*self._lines.get(timeout=0.2))
            except queue.Empty:
                continue


class _Source:
    """One replica's log, read on a thread of its own."""

    def __init__(self, engine: Engine, replica: Found, tail: int, lines: queue.Queue[tuple[str, str]]) -> None:
        self._replica = replica
        self._queue = lines
        self._closed = threading.Event()
        self._stream: Any = engine.briefly(lambda client: client.logs(replica.id, stream=True, follow=True, tail=tail))
        self._thread = threading.Thread(target=self._read, name="norn-log", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True while more may come."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Lets the connection go."""
        self._closed.set()
        self._stream.close()

    def _read(self) -> None:
        lines = Lines()
        for piece in self._stream:
            for line in lines.feed(piece):
                self._put(line)
        for line in lines.end():
            self._put(line)

    def _put(self, line: str) -> None:
        while not self._closed.is_set():
            try:
                self._queue.put((self._replica.name, line), timeout=0.2)
            except queue.Full:
                continue
            return
