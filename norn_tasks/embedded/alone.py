"""The database by itself: the one of a Norn that runs, or started for one piece of work and stopped after it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from norn_tasks.embedded import postgres, supervisor
from norn_tasks.embedded.configuration import STORES, configure
from norn_tasks.embedded.down import stop
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.lock import Lock, held
from norn_tasks.embedded.places import Places, make
from norn_tasks.embedded.processes import environment
from norn_tasks.embedded.stores import opened, prepare
from norn_tasks.embedded.supervisor import Control
from norn_tasks.embedded.up import await_stores, end_leftovers, reach
from norn_tasks.embedded.watch import Watch
from norn_tasks.settings import Settings
from norn_tasks.store.session import connection_words, server_version

PROGRAM_SECONDS = 3600
"""How long pg_dump or pg_restore may take."""


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


def tool(name: str, url: str, where: Places, settings: Settings) -> Path:
    """Answers PostgreSQL's program of that name that fits the server; raises NotStarted."""
    if not settings.database_url:
        return postgres.choose(postgres.found(), where).bin / name
    with opened(url) as database:
        major = server_version(database)
    fitting = [server.bin / name for server in postgres.found() if server.major >= major]
    found = next((program for program in fitting if program.exists()), None)
    if found is None:
        raise NotStarted(
            f"the database is PostgreSQL {major}, and no {name} of that version or a later one is here",
            hint=f"apt-get install postgresql-client-{major}",
        )
    return found


def run(program: Path, url: str | None, words: Sequence[str | Path], what: str) -> str:
    """Runs one of PostgreSQL's programs on the database and answers what it printed; raises NotStarted.

    The password goes by the environment: a command line is everybody's to read.
    """
    dsn, secret = connection_words(url) if url else ("", {})
    argv = [program, *(["--dbname", dsn] if url else []), *words]
    try:
        ended = subprocess.run(
            list(map(str, argv)),
            env={**os.environ, **secret},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise NotStarted(
            f"{what}: {program.name} did not end within {PROGRAM_SECONDS // 60} minutes",
            hint="norn doctor; is the machine or PostgreSQL slow, or does somebody hold a lock?",
        ) from error
    if ended.returncode:
        said = re.sub(r"\s+", " ", ended.stderr.strip())[-400:]
        raise NotStarted(f"{what}: {said}", hint="norn doctor; is there space left on the disk?")
    return ended.stdout
