"""Norn's processes as forks of the supervisor. The supervisor imports their modules once, so they share the memory of
these modules and start without imports.

Each fork is a process with its own pid, log, signals and restarts, like a program that is started. They are not
threads, so that a process that ends or hangs does not affect the others.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

from supervisor.options import ServerOptions

from norn_tasks.embedded.supervision.program import runs_module

MODULES = (
    "billiard.pool",
    "celery.app.control",
    "celery.apps.worker",
    "celery.backends.base",
    "celery.concurrency.thread",
    "celery.events.receiver",
    "celery.events.state",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "kombu.transport.redis",
    "netrc",
    "norn_api.app",
    "norn_api.heads",
    "norn_api.logs",
    "norn_tasks.scheduler.beat_thread",
    "norn_tasks.tasks",
    "psycopg2.extras",
    "pydantic.dataclasses",
)
"""The modules that the processes need. Importing them starts no thread and opens no connection.

They are imported here even if only one process needs them. An import in a fork costs more: it writes the reference
counts of names all over the shared memory, 10 MiB for Flask alone.
"""
OF_COMMAND_LINE = ("celery.apps.beat", "celery.bin.celery", "norn_tasks.scheduler.beat")
"""The modules of Celery's command line, which is needed only if beat and each class have processes of their own."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_SUPERVISORS_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGCHLD", "SIGUSR2")


def preload(*, separate: bool) -> None:
    """Imports the modules, and keeps the garbage collector from writing into the memory that is shared with the forks.

    `separate`: each class has a process of its own. Every worker needs some parts of Celery's application that Celery
    creates at their first use; they are created here, once for all forks.
    """
    _import_structlog()
    for module in (*MODULES, *(OF_COMMAND_LINE if separate else ())):
        importlib.import_module(module)
    app = sys.modules["norn_tasks.celery_app"].app
    app.finalize()
    _ = app.amqp, app.log, app.events, app.Worker
    gc.collect()
    gc.freeze()


def _import_structlog() -> None:
    """Imports structlog without rich, which takes 5 MiB and which structlog would use only for coloured tracebacks."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment] # the import system takes None as "there is no such module"
    importlib.import_module("structlog")
    del sys.modules["rich"]


class ForkingOptions(ServerOptions):  # type: ignore[misc] # supervisor has no types
    """supervisord's options, changed so that a process that runs a Python module starts in the fork itself."""

    def __init__(self) -> None:
        super().__init__()
        self._supervisor = os.getpid()

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Runs the module in this fork and never returns, if the command runs a Python module; otherwise starts the
        program.
        """
        if runs_module(argv):
            run_module(argv[2:], env, self._supervisor)
        super().execve(filename, argv, env)


def run_module(words: Sequence[str], env: Mapping[str, str], supervisor: int) -> NoReturn:
    """Runs a module with its arguments in this fork, as `python -m` does, and ends the process with its exit code.

    The supervisor's objects stay in the fork's memory, unused. Its files are closed, and their numbers are used again,
    so nothing may close them a second time. So the process ends without returning into the supervisor's code.
    """
    code = 1
    try:
        _leave_supervisor(env, supervisor)
        sys.argv = list(words)
        code = exit_code(words[0])
    except Exception:  # noqa: BLE001 - the interpreter prints any exception of a program
        traceback.print_exc()
    finally:
        os._exit(code)


def _leave_supervisor(env: Mapping[str, str], supervisor: int) -> None:
    """Gives the fork its own signals, streams, environment and name, and makes the kernel send it SIGTERM when the
    supervisor dies.
    """
    gc.freeze()
    for name in _SUPERVISORS_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    os.environ.clear()
    os.environ.update(env)
    kernel = ctypes.CDLL(None)
    kernel.prctl(_PR_SET_NAME, env["SUPERVISOR_PROCESS_NAME"].encode(), 0, 0, 0)
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != supervisor:
        raise ProcessLookupError("the supervisor has ended")


def exit_code(module: str) -> int:
    """Runs a module as `python -m` does, then the exit handlers of this process; returns the exit code."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code: object = 0
    except SystemExit as ended:
        code = ended.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1
