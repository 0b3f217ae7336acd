"""Norn's router as it is measured: a process of its own, which reads its routes from a PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests.benchmarks.processes import Program
from tests.benchmarks.router.proxies import Subject, answering
from tests.servers import Postgres, free_port

APP = "bench"
_JOB = """
INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)
VALUES ('deploy', 'deploy', :app, true, 'running', 'bench', 1) RETURNING id
"""


class NornRouter(Subject):
    """The router, and the PostgreSQL with its routes."""

    def __init__(self, home: Path, ports: Sequence[int]) -> None:
        self._postgres = Postgres(home / "pg")
        self._postgres.execute("CREATE DATABASE norn")
        url, port = self._postgres.url("norn"), free_port()
        migrate.upgrade(url)
        _write_rows(url, port, ports)
        environ = {**os.environ, "NORN_DATABASE_URL": url, "NORN_DATA_DIR": str(home / "norn")}
        program = Program([sys.executable, "-m", "norn_tasks.router"], home, "norn", environ)
        answering(port)
        super().__init__("norn", version("norn"), port, program)

    def stop(self) -> None:
        """Ends the router and the PostgreSQL."""
        super().stop()
        self._postgres.stop()


def _write_rows(url: str, port: int, ports: Sequence[int]) -> None:
    """Writes the rows of an app with this address and these live replicas."""
    database = Database(url, pool=1)
    with database.transaction() as tx:
        routes.reserve_address(tx, APP, port, port)
        fence = Fence(int(tx.scalar(text(_JOB), {"app": APP}) or 0), 1)
    table = ReplicaTable(database)
    for n, replica in enumerate(ports):
        table.starting(Replica(f"r{n}", APP, 1, 1, ReplicaState.STARTING), fence)
        table.live(f"r{n}", f"127.0.0.1:{replica}", fence)
    database.dispose()
