"""A process that the supervisor forks behaves like one that it starts: it has its own arguments, signals, streams and
exit status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from norn_tasks.embedded.down import stop
from norn_tasks.embedded.leftovers import leftovers
from norn_tasks.embedded.lock import Lock
from norn_tasks.embedded.paths import DataPaths, data_paths, make
from norn_tasks.embedded.supervision import supervisor
from norn_tasks.embedded.supervision.configuration import STORES, configure
from norn_tasks.embedded.supervision.program import SupervisedProgram
from norn_tasks.embedded.supervision.supervisor import Control
from tests.servers import wait_until

_SHOWS = """
import atexit, os, signal, sys, threading
print(__name__, sys.argv[1:], os.environ["SUPERVISOR_PROCESS_NAME"], open("/proc/self/comm").read().strip())
print("files", sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], file=sys.stderr)
atexit.register(print, "bye")
if sys.argv[1:] == ["end"]:
    threading.Timer(0.1, print, ["a thread was awaited"]).start()
    sys.exit(3)
signal.pause()
"""


@dataclass(frozen=True)
class Forks:
    """A supervisor with two forked processes: one that stays, and one that ends repeatedly."""

    where: DataPaths
    pid: int

    def log(self, name: str) -> str:
        """Returns the output of a process."""
        return (self.where.log / f"{name}.log").read_text()


@pytest.fixture
def forks(private_dir: Path, request: pytest.FixtureRequest) -> Iterator[Forks]:
    where = data_paths(private_dir / request.node.name)
    make(where)
    (where.data / "shows.py").write_text(_SHOWS)
    programs = [
        SupervisedProgram(name, (sys.executable, "-m", "shows", *words), where.data)
        for name, words in {"stays": ["a b", "%"], "ends": ["end"]}.items()
    ]
    configure(where, {STORES: programs})
    with closing(Lock(where.lock)) as lock:
        process = supervisor.launch(where, {**os.environ, "PYTHONUNBUFFERED": "1"}, lock.fd)
        lock.write_holder(process.pid, "http://127.0.0.1:1")
    yield Forks(where, process.pid)
    stop(where, process.pid)
    process.wait()


def test_a_fork_is_like_a_started_program(forks: Forks) -> None:
    wait_until(lambda: "files" in forks.log("stays"), 10, "it has begun")
    assert forks.log("stays") == "__main__ ['a b', '%'] stays stays\nfiles [0, 1, 2]\n"
    wait_until(lambda: "exit status 3" in forks.log("supervisor"), 10, "the other one has ended")
    assert forks.log("ends").startswith("__main__ ['end'] ends ends\nfiles [0, 1, 2]\na thread was awaited\nbye\n")


def test_sigterm_ends_a_fork_and_the_supervisor_starts_another(forks: Forks) -> None:
    def pid() -> int:
        return next(process.pid for process in Control(forks.where.control).processes() if process.name == "stays")

    wait_until(lambda: "files" in forks.log("stays"), 10, "it has begun")
    ended = pid()
    os.kill(ended, signal.SIGTERM)
    wait_until(lambda: pid() not in (0, ended), 10, "another one runs")


def test_an_editor_of_the_configuration_is_not_taken_for_a_fork(tmp_path: Path) -> None:
    where = data_paths(tmp_path / "norn")
    editor = subprocess.Popen([sys.executable, "-c", "input()", str(where.configuration)], stdin=subprocess.PIPE)
    try:
        assert list(leftovers(where)) == []
    finally:
        editor.kill()
        editor.wait()


def test_no_fork_outlives_a_killed_supervisor(forks: Forks) -> None:
    wait_until(lambda: "files" in forks.log("stays"), 10, "it has begun")
    assert list(leftovers(forks.where))
    os.kill(forks.pid, signal.SIGKILL)
    wait_until(lambda: not list(leftovers(forks.where)), 10, "the kernel has ended the forks")
