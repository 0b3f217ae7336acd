"""Starts Norn's processes as forks of one process that has imported their modules once, while `make test` runs several
tests at the same time.

The imports of one process take two to three seconds of CPU time on slow cores, and most tests of a whole Norn start
seven processes or more. `norn up` forks its processes too, to save memory. A test that runs alone starts each process
as a program of its own, as docker-compose does.
"""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from norn_tasks.embedded.supervision.forks import MODULES, exit_code

_LATER = "norn_tasks.tasks"
"""The module that keeps what the environment says at its import. Each fork imports it itself."""
_MORE = ("celery.bin.celery", "norn_tasks.router.service", "norn_tasks.scheduler.beat", "norn_tasks.worker.assembly")
_BEFORE_PYTHON = ("LD_PRELOAD", "PYTHONPATH")
"""Variables that act when an interpreter starts, so not in a fork."""
_PROGRAMS = ("celery", "gunicorn")


def preload() -> None:
    """Imports the modules of Norn's processes. The fork server calls this once, by importing `tests.preloaded`."""
    for module in (*MODULES, *_MORE):
        if module != _LATER:
            importlib.import_module(module)


def start(argv: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> Forked | Program:
    """Starts a process in a session of its own that appends its output to the file `log`.

    It is a fork if several tests run at the same time and `argv` runs a Python module, Celery or gunicorn. Otherwise it
    is a program.
    """
    words = _module(argv)
    differs = any(environment.get(name) != os.environ.get(name) for name in _BEFORE_PYTHON)
    if words and "PYTEST_XDIST_WORKER" in os.environ and not differs:
        log.touch()
        process = _server().Process(target=_run, args=(words, dict(environment), directory, log), daemon=True)
        process.start()
        return Forked(process)
    with log.open("ab") as file:
        return subprocess.Popen(
            argv, env=dict(environment), stdout=file, stderr=file, cwd=directory, start_new_session=True
        )


class Forked:
    """A fork, with the methods of `subprocess.Popen` that tests call."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process, self._lock = process, threading.Lock()
        assert process.pid is not None
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative number of the signal that ended the process; None while it runs."""
        with self._lock:
            return self._process.exitcode

    def poll(self) -> int | None:
        """Returns the exit code; None while the process runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code once the process has ended; raises TimeoutExpired after `timeout` seconds."""
        multiprocessing.connection.wait([self._process.sentinel], timeout)
        if (code := self.returncode) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)


Program = subprocess.Popen[bytes]
Started = Forked | Program


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded"])
    return context


def _module(argv: Sequence[str]) -> list[str]:
    """Returns the module of a command line and its arguments; nothing if it runs another program."""
    if Path(argv[0]).name in _PROGRAMS:
        return [Path(argv[0]).name, *argv[1:]]
    return list(argv[2:]) if argv[0] == sys.executable and argv[1] == "-m" else []


def _run(words: list[str], environment: dict[str, str], directory: Path, log: Path) -> None:
    """Runs a module in this fork as `python -m` does."""
    os.setsid()
    os.chdir(directory)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.reload(sys.modules["norn_tasks.celery_app"])
    sys.argv = words
    sys.exit(exit_code(words[0]))
