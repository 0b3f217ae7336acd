"""The database by itself: the one of a Norn that runs, or started for one piece of work and stopped after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from norn_tasks.embedded import postgres, supervisor
from norn_tasks.embedded.configuration import STORES, configure
from norn_tasks.embedded.down import stop
from norn_tasks.embedded.lock import Lock, held
from norn_tasks.embedded.places import Places, make
from norn_tasks.embedded.processes import environment
from norn_tasks.embedded.stores import prepare
from norn_tasks.embedded.supervisor import Control
from norn_tasks.embedded.up import await_stores, end_leftovers, reach
from norn_tasks.embedded.watch import Watch
from norn_tasks.settings import Settings


@contextmanager
def running_or_alone(settings: Settings, where: Places) -> Iterator[str]:
    """Gives the URL of the database: as it runs, else as it is started for this block."""
    if settings.database_url:
        yield settings.database_url
    elif held(where.lock):
        yield postgres.url(where)
    else:
        with alone(settings, where) as url:
            yield url


@contextmanager
def alone(settings: Settings, where: Places) -> Iterator[str]:
    """Gives the URL of the database while nothing else of Norn runs here; raises AlreadyRunning or NotStarted."""
    make(where)
    with closing(Lock(where.lock)) as lock:
        lock.tell(os.getpid(), "")
        end_leftovers(where)
        stores = prepare(settings, where)
        database = stores[0]
        if database.program is None:
            reach(database)
            yield database.url
            return
        configure(where, {STORES: [database.program]})
        process = supervisor.launch(where, environment(settings, os.environ), lock.fd)
        try:
            await_stores((database,), Watch(where, Control(where.control)))
            yield database.url
        finally:
            stop(where, process.pid)
            process.wait()
