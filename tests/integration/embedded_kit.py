"""The stores of `norn up` (PostgreSQL and the broker) under their supervisor, without the rest of Norn; and the command
that starts all of Norn.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.down import stop
from norn_tasks.embedded.lock import Lock
from norn_tasks.embedded.paths import DataPaths, data_paths, make
from norn_tasks.embedded.stores.stores import Store, prepare
from norn_tasks.embedded.supervision import supervisor
from norn_tasks.embedded.supervision.configuration import STORES, configure
from norn_tasks.embedded.supervision.processes import environment
from norn_tasks.embedded.supervision.supervisor import Control, Process
from norn_tasks.embedded.supervision.watch import ProcessWatch
from norn_tasks.embedded.up import await_stores
from norn_tasks.settings import load

AS_SOMEBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
"""The words before a command that run it as an ordinary user without the rights of root, even if root runs the
tests.
"""


@dataclass(frozen=True)
class Running:
    """Stores that respond, and the pid of their supervisor."""

    where: DataPaths
    database: Store
    broker: Store
    pid: int

    def process(self, name: str) -> Process:
        """Returns one of the processes."""
        return next(process for process in Control(self.where.control).processes() if process.name == name)


@contextmanager
def running(data_dir: Path) -> Iterator[Running]:
    """Starts the stores as `norn up` does, and stops them as `norn down` does."""
    settings, where = load({"NORN_DATA_DIR": str(data_dir)}), data_paths(data_dir)
    make(where)
    with closing(Lock(where.lock)) as lock:
        stores = prepare(settings, where)
        configure(where, {STORES: [store.program for store in stores if store.program]})
        process = supervisor.launch(where, environment(settings, os.environ), lock.fd)
        lock.write_holder(process.pid, "http://127.0.0.1:1")
    try:
        await_stores(stores, ProcessWatch(where, Control(where.control)))
        yield Running(where, *stores, process.pid)
    finally:
        stop(where, process.pid)
        process.wait()


def norn(*words: str, prefix: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `norn up|down|status|logs` as the CLI does, to its end."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "norn_tasks.embedded", *words],
        env=_environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """Returns the environment of this process without Norn's settings, plus these variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NORN_")} | variables
