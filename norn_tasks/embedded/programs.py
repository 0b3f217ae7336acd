"""PostgreSQL's programs that dump and restore a database: finds those that fit the server, and runs them.

A program works with servers of its own version or older. From version 17 on, pg_restore also writes a setting that
older servers do not know. Norn removes this setting, because an older server would refuse the restore.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.stores.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import server_version
from norn_tasks.store.database.urls import connection_parameters

PROGRAM_SECONDS = 3600
"""The timeout of pg_dump and pg_restore in seconds."""
_KNOWS_THE_SETTING = 17
_SETTING = b"SET transaction_timeout = 0;\n"
_IN_THE_HEAD = 64
"""The number of lines at the beginning of a script that contain its settings, before any row."""


@dataclass(frozen=True)
class PostgresProgram:
    """One of PostgreSQL's programs, its major version, and the major version of the server with which it is used."""

    path: Path
    major: int
    server: int


def fitting(name: str, url: str, where: DataPaths, settings: Settings) -> PostgresProgram:
    """Returns PostgreSQL's program of that name that fits the server; raises NotStarted if none is installed."""
    if not settings.database_url:
        embedded = postgres.choose(postgres.found(), where)
        return PostgresProgram(embedded.bin / name, embedded.major, embedded.major)
    with opened(url) as database:
        major = server_version(database)
    return choose(name, major, postgres.directories())


def choose(name: str, server: int, directories: Iterable[Path]) -> PostgresProgram:
    """Returns the program in the version nearest to the server's, but never in an older one; raises NotStarted if there
    is none.
    """
    there = [(major, path / name) for path in directories if (major := _major(path / name)) is not None]
    good = sorted((major, path) for major, path in there if major >= server)
    if not good:
        raise NotStarted(
            f"the database is PostgreSQL {server}, and no {name} of that version or a later one is here",
            hint=f"apt-get install postgresql-client-{server}, or pip install '.[server]' in a checkout of Norn",
        )
    return PostgresProgram(good[0][1], good[0][0], server)


def fill(restorer: PostgresProgram, url: str, dump: Path) -> None:
    """Fills an empty database from a dump, completely or not at all; raises NotStarted if a program fails."""
    what, words = "the database was not restored", ["--no-owner", "--no-privileges"]
    if restorer.server >= _KNOWS_THE_SETTING or restorer.major < _KNOWS_THE_SETTING:
        run(restorer.path, url, [*words, "--exit-on-error", "--single-transaction", dump], what)
        return
    script = dump.with_suffix(".sql")
    run(restorer.path, None, [*words, "--file", script, dump], what)
    readable = _without_the_setting(script)
    psql = restorer.path.with_name("psql")
    run(psql, url, ["-X", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file", readable], what)


def run(program: Path, url: str | None, words: Sequence[str | Path], what: str) -> str:
    """Runs one of PostgreSQL's programs on the database and returns its output; raises NotStarted, whose sentence
    begins with `what`.

    The password is passed in the environment, because every user can read command lines.
    """
    dsn, secret = connection_parameters(url) if url else ("", {})
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
            hint="norn doctor; is the machine or PostgreSQL slow, or is a lock held?",
        ) from error
    if ended.returncode:
        said = re.sub(r"\s+", " ", ended.stderr.strip())[-400:]
        raise NotStarted(f"{what}: {said}", hint="norn doctor; is there space left on the disk?")
    return ended.stdout


def _major(program: Path) -> int | None:
    """Returns the major version of a program; None if it is missing."""
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return None
    version = re.search(r"PostgreSQL\) (\d+)", asked.stdout)
    return int(version[1]) if version else None


def _without_the_setting(script: Path) -> Path:
    """Returns a copy of the script that an older server understands; deletes the script."""
    copy = script.with_suffix(".older.sql")
    copy.touch(mode=0o600)
    with script.open("rb") as lines, copy.open("wb") as kept:
        kept.writelines(line for n, line in enumerate(lines) if n >= _IN_THE_HEAD or line != _SETTING)
    script.unlink()
    return copy
