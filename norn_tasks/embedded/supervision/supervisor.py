"""The supervisor (supervisord): its start, and its control socket."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from norn_tasks.embedded.errors import NotRunning, NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.supervision.configuration import SERVICES, STORES

SUPERVISE = "norn_tasks.embedded.supervision.supervise"
"""The module that runs the supervisor; the supervisor's forks have the same command line."""
START_SECONDS = 120.0
"""The timeout of the supervisor's responses in seconds."""


@dataclass(frozen=True)
class Process:
    """The present state of a supervised process; times are in seconds since 1970."""

    name: str
    state: str
    pid: int
    began: int
    now: int

    @property
    def up(self) -> bool:
        """True if the process has been running for a moment."""
        return self.state == "RUNNING"


class Control:
    """The client of the supervisor's control socket. Every method except `answers` raises NotRunning if no supervisor
    listens there.
    """

    def __init__(self, socket: Path) -> None:
        transport = SupervisorTransport(None, None, f"unix://{socket}")
        self._calls = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        self._transport = transport

    def answers(self) -> bool:
        """Returns True if a supervisor listens."""
        try:
            self._ask("getPID")
        except NotRunning:
            return False
        return True

    def processes(self) -> tuple[Process, ...]:
        """Returns all processes, stores first; a server for apps is included if it was ever started."""
        asked = self._ask("getAllProcessInfo")
        rows = [row for row in asked if row["group"] != SERVICES or row["statename"] != "STOPPED"]
        found = (Process(row["name"], row["statename"], row["pid"], row["start"], row["now"]) for row in rows)
        order = {row["name"]: (row["group"] != STORES, row["name"]) for row in rows}
        return tuple(sorted(found, key=lambda process: order[process.name]))

    def start(self, group: str) -> None:
        """Starts every process of a group; does not wait until they have started."""
        self._ask("startProcessGroup", group, False)

    def shut_down(self) -> None:
        """Stops every process and then the supervisor; does not wait until they have stopped."""
        self._ask("shutdown")

    def _ask(self, method: str, *words: object) -> Any:
        try:
            return getattr(self._calls.supervisor, method)(*words)
        except (OSError, http.client.HTTPException, xmlrpc.client.Fault) as error:
            raise NotRunning(f"the supervisor does not answer: {error}", hint="norn up") from error
        finally:
            self._transport.close()


def launch(where: DataPaths, environment: Mapping[str, str], lock: int) -> subprocess.Popen[bytes]:
    """Starts the supervisor in a session of its own, and returns when it responds; it inherits the lock.

    Raises NotStarted if it does not start.
    """
    where.control.unlink(missing_ok=True)
    said = where.log / "supervisor.out"
    said.touch(mode=0o600)
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", SUPERVISE, "-c", str(where.configuration)],
            cwd=where.data,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
            pass_fds=(lock,),
        )
    deadline = time.monotonic() + START_SECONDS
    while not Control(where.control).answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise NotStarted(f"the supervisor did not come up: {said.read_text().strip()}", hint=f"see {where.log}")
        time.sleep(0.05)
    return process
