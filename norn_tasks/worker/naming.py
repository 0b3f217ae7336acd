"""The name of a worker, which identifies its row, its leases and its draining. Only one process has a name at a time.

A new process may take the name of a process that has ended. If the old process ran on the same machine, the kernel
knows whether it has ended; if it ran on another machine, a long silence counts as its end. Where the kernel knows it,
the leases of the old process end too: a call that waits for its answer should not wait for a lease of a dead worker.
"""

from __future__ import annotations

import time

from norn_tasks.domain.errors import Conflict
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import NameHolder
from norn_tasks.store.queue import leases
from norn_tasks.worker.engines import REPORT_SECONDS
from norn_tasks.worker.process_id import ProcessId

SILENCE = 3 * REPORT_SECONDS
"""Seconds without a report after which the process that had a name counts as ended."""
_LOOK_SECONDS = 0.5


def acquire(database: Database, name: str, process: ProcessId) -> None:
    """Returns when the process may have the name, at the latest after SILENCE.

    Raises Conflict if a living process has the name.
    """
    first = None
    while holder := _living(database, name, process):
        first = first or holder
        if (holder.process, holder.seen_at) != (first.process, first.seen_at):
            raise Conflict(
                f"a worker named {name} is there already: process {holder.pid} on {holder.host}",
                hint="leave -n out, and each worker gets a name of its own",
            )
        time.sleep(_LOOK_SECONDS)


def _living(database: Database, name: str, process: ProcessId) -> NameHolder | None:
    """Returns the process that has the name, unless it is known to have ended or has been silent for long."""
    with database.transaction() as tx:
        holder = workers.holder(tx, name)
        theirs = None if holder is None else ProcessId.parse(holder.process)
        if theirs is not None and theirs != process and process.knows_ended(theirs):
            leases.expire(tx, name)
            return None
    return None if holder is None or theirs == process or holder.silent > SILENCE else holder
