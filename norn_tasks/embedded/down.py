"""`norn down`: stops the processes of Norn, the stores last. The containers of apps and the router keep running."""

from __future__ import annotations

import os
import select
import signal

from norn_tasks.embedded import leftovers
from norn_tasks.embedded.errors import NotRunning
from norn_tasks.embedded.lock import held, holder
from norn_tasks.embedded.paths import DataPaths, data_paths
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.routing import router
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.settings import Settings

PATIENCE = 150.0
"""Seconds after which the supervisor is killed. It gives workers 45 s, and then PostgreSQL 60 s."""


def down(settings: Settings, *, everything: bool = False) -> None:
    """Stops the Norn of this data directory, and prints what it does; does nothing if none runs.

    The router stays while apps have addresses, unless `everything` is True.
    """
    where = data_paths(settings.data_dir)
    known = holder(where.lock)
    if known and held(where.lock):
        with step("stopping API, workers and beat, then the stores"):
            stop(where, known.pid)
        say("Norn has stopped.")
    else:
        leftovers.end(where)
        say(f"Norn is not running on {where.data}.")
    if everything:
        with step("stopping the router"):
            router.stop(settings, where)
    elif stays := router.stop_unless_needed(settings, where):
        say(f"Apps keep running, and their addresses respond: the router stays (pid {stays.pid}).")
        say("  norn down --all    stops it too")
        return
    say("Containers of apps keep running: they belong to the engine. Their addresses respond again after norn up.")


def stop(where: DataPaths, pid: int, patience: float = PATIENCE) -> None:
    """Asks the supervisor to stop everything and waits for the end; kills processes that do not end in time."""
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        ended = None
    if ended is not None:
        try:
            _ask_to_stop(where, pid)
            if not select.select([ended], [], [], patience)[0]:
                signal.pidfd_send_signal(ended, signal.SIGKILL)
        finally:
            os.close(ended)
    leftovers.end(where, patience=5)


def _ask_to_stop(where: DataPaths, pid: int) -> None:
    try:
        Control(where.control).shut_down()
    except NotRunning:
        os.kill(pid, signal.SIGTERM)
