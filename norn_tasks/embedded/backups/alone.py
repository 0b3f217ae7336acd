"""Gives one task the database: if the database is not running, it is started for the task and stopped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from norn_tasks.embedded.down import stop
from norn_tasks.embedded.lock import Lock, held
from norn_tasks.embedded.paths import DataPaths, make
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.stores.stores import prepare
from norn_tasks.embedded.supervision import supervisor
from norn_tasks.embedded.supervision.configuration import STORES, configure
from norn_tasks.embedded.supervision.processes import environment
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.embedded.supervision.watch import ProcessWatch
from norn_tasks.embedded.up import await_stores, end_leftovers, start_store
from norn_tasks.settings import Settings


@contextmanager
def running_or_alone(settings: Settings, where: DataPaths) -> Iterator[str]:
    """Yields the URL of the database; starts the database for this block if it is not running."""
    if settings.database_url:
        yield settings.listen_url
    elif held(where.lock):
        yield postgres.url(where)
    else:
        with alone(settings, where) as url:
            yield url


@contextmanager
def alone(settings: Settings, where: DataPaths) -> Iterator[str]:
    """Yields the URL of the database, and makes sure that no other process of Norn runs; raises AlreadyRunning or
    NotStarted.
    """
    make(where)
    with closing(Lock(where.lock)) as lock:
        lock.write_holder(os.getpid(), "")
        end_leftovers(where)
        stores = prepare(settings, where)
        database = stores[0]
        if database.program is None:
            start_store(database)
            yield settings.listen_url
            return
        configure(where, {STORES: [database.program]})
        process = supervisor.launch(where, environment(settings, os.environ), lock.fd)
        try:
            await_stores((database,), ProcessWatch(where, Control(where.control)))
            yield database.url
        finally:
            stop(where, process.pid)
            process.wait()
