"""`norn down`: every process ends, the stores last; what runs on the engine is left alone."""

from __future__ import annotations

import os
import select
import signal

from norn_tasks.embedded import leftovers
from norn_tasks.embedded.errors import NotRunning
from norn_tasks.embedded.lock import held, holder
from norn_tasks.embedded.places import Places, places
from norn_tasks.embedded.progress import say, step
from norn_tasks.embedded.supervisor import Control
from norn_tasks.settings import Settings

PATIENCE = 150.0
"""Seconds until the supervisor is killed: it gives workers 45 s, then PostgreSQL 60 s."""


def down(settings: Settings) -> None:
    """Stops the Norn of this data directory, and says so; fine when none runs."""
    where = places(settings.data_dir)
    known = holder(where.lock)
    if known and held(where.lock):
        with step("stopping API, workers, beat and router, then the stores"):
            stop(where, known.pid)
        say("Norn has stopped.")
        say("Containers of apps run on: they belong to the engine. Their addresses answer again after norn up.")
    else:
        leftovers.end(where)
        say(f"Norn is not running on {where.data}.")


def stop(where: Places, pid: int, patience: float = PATIENCE) -> None:
    """Asks the supervisor to stop everything and waits until all of it is gone; kills what is not gone in time."""
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


def _ask_to_stop(where: Places, pid: int) -> None:
    try:
        Control(where.control).shut_down()
    except NotRunning:
        os.kill(pid, signal.SIGTERM)
