"""Makes sure that the log of every replica is read: one thread for each replica that may write new lines."""

from __future__ import annotations

import json
import logging
import select
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from norn_tasks.adapters.docker.client import APP, INSTANCE, EngineClient
from norn_tasks.adapters.docker_cluster.collecting.container import ContainerLog, origin_of
from norn_tasks.adapters.docker_cluster.containers import listed
from norn_tasks.adapters.kept_logs.warnings import CollectingWarnings
from norn_tasks.domain.app_logs.lines import LogOrigin, is_pod
from norn_tasks.domain.errors import EngineDown, NornError, NotFound
from norn_tasks.ports import Hiding, KeptLogs

log = logging.getLogger(__name__)

CLUSTER = "docker"
_WRITING = ("running", "restarting", "paused")
_LOOK = 30.0
"""Seconds between two listings of all containers. In between, the engine reports each start and end of a container."""
_TURN = 2.0
"""Seconds between two tries to become the only process that collects."""
_TRIM = 3600.0
_AGAIN = 5.0
"""Seconds before a container is read again after an error."""


class LogCollector:
    """Collects the lines of this control plane's replicas. If several processes try to collect, only one of
    them does.
    """

    def __init__(self, engine: EngineClient, instance: str, logs: KeptLogs, hiding: Hiding) -> None:
        self._engine, self._instance, self._logs, self._hiding = engine, instance, logs, hiding
        self._stop = threading.Event()
        self._readers: dict[str, threading.Thread] = {}
        self._read: set[str] = set()
        self._apps: dict[str, str] = {}
        self._warnings = CollectingWarnings(log)
        self._trimmed = float("-inf")

    def run(self) -> None:
        """Collects until the collector is stopped."""
        while not self._stop.is_set():
            self.turn()
            self._stop.wait(_TURN)

    def turn(self) -> None:
        """Collects until the engine is unreachable or the collector is stopped; does nothing if another process
        collects.
        """
        with self._logs.collector(CLUSTER, 0) as mine:
            if mine:
                self._collect()

    def stop(self) -> None:
        """Asks the collector to end; returns without waiting for the end."""
        self._stop.set()

    def _collect(self) -> None:
        """Handles the engine's reports until the engine is unreachable or the collector is stopped."""
        try:
            with _Changes(self._engine.address, self._instance) as changes:
                looked = float("-inf")
                while not self._stop.is_set():
                    if time.monotonic() - looked >= _LOOK:
                        self._tidy(self._attend())
                        self._warnings.clear("replicas")
                        looked = time.monotonic()
                    changed = changes.wait(1.0)
                    if changed:
                        self._read -= changed
                        self._forget(changed - self._attend())
        except NornError as error:
            self._warnings.say("replicas", error.sentence)
        except OSError as error:
            self._warnings.say("replicas", str(error))

    def _attend(self) -> set[str]:
        """Starts a reader for each container that may have new lines; returns all containers."""
        there = listed(self._engine.briefly, self._instance)
        for each in there:
            container, writes = each["Id"], each["State"] in _WRITING
            reader = self._readers.get(container)
            if each["State"] == "created" or (reader is not None and reader.is_alive()):
                continue
            if writes or container not in self._read:
                self._begin(each)
        ids = {each["Id"] for each in there}
        self._readers = {id_: thread for id_, thread in self._readers.items() if thread.is_alive() or id_ in ids}
        self._read &= ids
        return ids

    def _begin(self, replica: dict[str, Any]) -> None:
        try:
            origin = origin_of(replica["Id"], replica["Labels"])
        except (KeyError, ValueError) as error:
            self._warnings.say(replica["Id"], f"the labels of {replica['Id'][:12]} cannot be read: {error!r}")
            return
        app = self._apps[origin.container] = replica["Labels"][APP]
        thread = threading.Thread(
            target=self._read_container, args=(app, origin), name=f"logs-{app}-{origin.name}", daemon=True
        )
        self._readers[origin.container] = thread
        thread.start()

    def _read_container(self, app: str, origin: LogOrigin) -> None:
        container = ContainerLog(self._engine.address, self._logs, self._hiding, app, origin)
        while not self._stop.is_set():
            try:
                if container.collect(self._stop):
                    self._read.add(origin.container)
                    return
            except NotFound:
                return
            except NornError as error:
                self._warnings.say(app, error.sentence)
            except Exception:
                log.exception("the log of a replica of %s was not read; it is tried again", app)
            else:
                self._warnings.clear(app)
            self._stop.wait(_AGAIN)

    def _forget(self, gone: set[str]) -> None:
        """Deletes the reading positions of containers that were just removed."""
        for container in gone & set(self._apps):
            reader = self._readers.get(container)
            if reader is None or not reader.is_alive():
                self._logs.forget_container(self._apps.pop(container), LogOrigin(container, 0, 0, 0))

    def _tidy(self, there: set[str]) -> None:
        """Deletes the reading positions of removed containers and, from time to time, lines that are too old."""
        for app in self._logs.apps():
            for container in self._logs.containers(app):
                if not is_pod(container) and container not in there:
                    self._logs.forget_container(app, LogOrigin(container, 0, 0, 0))
        if time.monotonic() - self._trimmed > _TRIM:
            self._trimmed = time.monotonic()
            self._logs.trim()


class _Changes:
    """Receives the engine's reports about replicas that start, end or are removed. Raises EngineDown."""

    def __init__(self, address: str, instance: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._rest = b""
        chosen = {
            "type": ["container"], "event": ["start", "die", "destroy"], "label": [f"{INSTANCE}={instance}"],
        }  # fmt: skip
        query = urllib.parse.urlencode({"filters": json.dumps(chosen)})
        try:
            self._socket.settimeout(10)
            self._socket.connect(address.removeprefix("unix://"))
            self._socket.sendall(f"GET /events?{query} HTTP/1.0\r\n\r\n".encode())
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
        except OSError as error:
            self._socket.close()
            raise EngineDown(f"the engine at {address} does not answer: {error}") from error

    def __enter__(self) -> _Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait(self, seconds: float) -> set[str]:
        """Returns the containers that have changed; waits at most `seconds` for the first change."""
        if not self._poll.poll(seconds * 1000):
            return set()
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise EngineDown("the engine has closed the connection that reports changes of containers")
        *whole, self._rest = (self._rest + data).split(b"\n")
        return set(_containers(whole))


def _containers(lines: list[bytes]) -> Iterator[str]:
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):  # the HTTP headers of the response are not reports
            yield json.loads(line)["Actor"]["ID"]
