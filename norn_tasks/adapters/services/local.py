"""A server that Norn runs for apps, separate from Norn's own PostgreSQL and Redis.

With `norn up`, such a server is started when the first app needs it. A file in the data directory, the offer, names the
kinds of server that can be started, and the socket of the supervisor process that starts them. When a server starts, it
writes its socket and port into another file, the note. With docker-compose there is no offer: the servers run from the
start and only write notes.
"""

from __future__ import annotations

import http.client
import json
import time
import xmlrpc.client
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from norn_tasks.adapters.services.server import ServerAccess, no_server
from norn_tasks.domain.errors import ServiceDown
from norn_tasks.domain.services import HOST
from norn_tasks.ports import Stop

OFFER = "offer.json"
GROUP = "services"
"""The supervisor's group of processes that contains the servers."""
START_SECONDS = 90.0
_LOOK_SECONDS = 0.2


class LocalServer:
    """The server called `name`; its offer and note are in `directory`. `answers` returns True if the server answers at
    a URL.
    """

    def __init__(self, directory: Path, name: str, what: str, setting: str, answers: Callable[[str], bool]) -> None:
        self._directory, self._name = directory, name
        self._what, self._setting = what, setting
        self._answers = answers

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Returns the access to the server; starts the server first if it does not run."""
        if apart:
            raise no_server(self._what, self._setting, " outside of Docker")
        offer, note = _read(self._directory / OFFER), self._note()
        if self._name not in offer.get("servers", ()) and (offer or not note):
            raise no_server(self._what, self._setting)
        found = self._running()
        if found is None:
            if offer:
                _start(str(offer["control"]), f"{GROUP}:services-{self._name}")
            found = self._awaited(stop)
        return found

    def _note(self) -> dict[str, Any]:
        return _read(self._directory / f"{self._name}.json")

    def _running(self) -> ServerAccess | None:
        note = self._note()
        if not note or not self._answers(str(note["url"])):
            return None
        return ServerAccess(str(note["url"]), str(note["scheme"]), f"{HOST}:{note['port']}")

    def _awaited(self, stop: Stop) -> ServerAccess:
        deadline = time.monotonic() + START_SECONDS
        while (found := self._running()) is None:
            if time.monotonic() > deadline:
                raise ServiceDown(
                    f"the {self._what} for apps did not start within {START_SECONDS:g} s",
                    hint=f"norn logs --server services-{self._name}",
                )
            stop.wait(_LOOK_SECONDS)
            stop.check()
        return found


def programs(directory: Path) -> tuple[Path, ...]:
    """Returns the directories with PostgreSQL's programs that `norn up` found."""
    return tuple(map(Path, _read(directory / OFFER).get("programs", ())))


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _start(socket: str, process: str) -> None:
    """Asks the supervisor to start a process; does nothing if the process already runs."""
    # Only workers that `norn up` started have this library.
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{socket}")
    calls = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
    try:
        with suppress(xmlrpc.client.Fault):
            # An error here means that the process is already being started. The caller waits until the server answers.
            calls.supervisor.startProcess(process, False)
    except (OSError, http.client.HTTPException) as error:
        raise ServiceDown(f"the supervisor of norn up does not answer: {error}", hint="norn up") from error
    finally:
        transport.close()
