"""Router processes of one Norn, for tests that start, end and replace them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.router.saved_table import FILE_NAME
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.external_hosts import ExternalHostTable
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests import forks
from tests.router_kit import Server
from tests.servers import free_port, wait_until

_JOB = """
INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)
VALUES ('deploy', 'deploy', 'blog', true, 'running', 'test', 1) RETURNING id
"""


NAME = "blog.example.test"
"""The public name of the app, used if the routers open the port for public names."""


class Routers:
    """Router processes of one Norn with one app; each has a log of its own. With `door` they open the port for public
    names.
    """

    def __init__(self, database: Database, url: str, directory: Path, *, door: bool = False) -> None:
        self.port, self.door = free_port(), free_port()
        self.saved = directory / "data" / FILE_NAME
        self.database = database
        self._directory = directory
        self._environ = {**os.environ, "NORN_DATABASE_URL": url, "NORN_DATA_DIR": str(directory / "data")}
        if door:
            self._environ |= {"NORN_EDGE": "caddy", "NORN_EDGE_DOOR": str(self.door)}
        self._processes: list[forks.Started] = []
        (directory / "data").mkdir()
        with database.transaction() as tx:
            routes.reserve_address(tx, "blog", self.port, self.port)
            job = tx.scalar(text(_JOB))
        self._table, self._fence = ReplicaTable(database), Fence(int(job or 0), 1)
        if door:
            ExternalHostTable(database).claim("blog", NAME, self._fence)

    def start(self, *words: str) -> int:
        """Starts a router and returns its number."""
        number = len(self._processes)
        command = [sys.executable, "-m", "norn_tasks.router", *words]
        self._processes.append(forks.start(command, self._environ, Path.cwd(), self._log(number)))
        return number

    def _log(self, number: int) -> Path:
        return self._directory / f"router-{number}.log"

    def pid(self, number: int) -> int:
        """Returns the process id of a router."""
        return self._processes[number].pid

    def logged(self, number: int, sentence: str) -> None:
        """Waits until a router has logged a sentence."""
        wait_until(lambda: sentence in self._log(number).read_text(), 30, f"{sentence!r} is in the log")

    def lines(self, number: int) -> str:
        """Returns everything that a router has logged."""
        return self._log(number).read_text()

    @contextmanager
    def slow_database(self) -> Iterator[None]:
        """Prevents routers from reading their table during the block."""
        with self.database.transaction() as tx:
            tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            tx.execute(text("LOCK TABLE addresses IN ACCESS EXCLUSIVE MODE"))
            yield

    def kill(self, number: int) -> None:
        """Ends a router immediately."""
        self._processes[number].kill()
        self._processes[number].wait(10)

    def ended(self, number: int, seconds: float = 20) -> int:
        """Waits until a router has ended by itself; returns its exit code."""
        return self._processes[number].wait(seconds)

    def end(self) -> list[int]:
        """Ends all routers as a supervisor does; returns their exit codes."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(20) for process in self._processes]

    def live(self, server: Server) -> None:
        """Makes a server a live replica of the app."""
        container = server.target.container
        self._table.starting(Replica(container, "blog", 1, 1, ReplicaState.STARTING), self._fence)
        self._table.live(container, server.target.address, self._fence)

    def leave(self, server: Server) -> None:
        """Takes a replica out of the routes."""
        self._table.leaving(server.target.container, self._fence)

    def drain(self, server: Server) -> None:
        """Lets a replica run for its open connections, for at most a minute."""
        self.leave(server)
        self._table.draining(server.target.container, 60, self._fence)

    def connections(self, server: Server) -> int | None:
        """Returns how many connections of a draining replica the routers have counted."""
        rows = self._table.of_app("blog")
        return next(row.connections for row in rows if row.container == server.target.container)

    def drained(self, server: Server) -> bool:
        """Returns True when a leaving replica is marked as drained."""
        return self._table.drained(server.target.container)

    def address(self) -> routes.Listening:
        """Returns the row about the app's address."""
        with self.database.transaction() as tx:
            return routes.addresses(tx)[0]
