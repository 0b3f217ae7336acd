"""PostgreSQL's own programs, which save a database and bring it back: which of those here fit it, and how they are run.

A program reads servers as old as it is or older. One from 17 on also writes a setting that older servers do not know,
and a restore must not stumble over that.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded import postgres
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.places import Places
from norn_tasks.embedded.stores import opened
from norn_tasks.settings import Settings
from norn_tasks.store.session import connection_words, server_version

PROGRAM_SECONDS = 3600
"""How long pg_dump or pg_restore may take."""
_KNOWS_THE_SETTING = 17
_SETTING = b"SET transaction_timeout = 0;\n"
_IN_THE_HEAD = 64
"""Lines of a script within which its settings stand, before any row of ours."""


@dataclass(frozen=True)
class Program:
    """One of PostgreSQL's programs, its major version, and that of the server it is for."""

    path: Path
    major: int
    server: int


def fitting(name: str, url: str, where: Places, settings: Settings) -> Program:
    """Answers PostgreSQL's program of that name that fits the server; raises NotStarted."""
    if not settings.database_url:
        embedded = postgres.choose(postgres.found(), where)
        return Program(embedded.bin / name, embedded.major, embedded.major)
    with opened(url) as database:
        major = server_version(database)
    return choose(name, major, postgres.directories())


def choose(name: str, server: int, directories: Iterable[Path]) -> Program:
    """Answers the program of the version nearest to the server's, never an older one; raises NotStarted."""
    there = [(major, path / name) for path in directories if (major := _major(path / name)) is not None]
    good = sorted((major, path) for major, path in there if major >= server)
    if not good:
        raise NotStarted(
            f"the database is PostgreSQL {server}, and no {name} of that version or a later one is here",
            hint=f"apt-get install postgresql-client-{server}, or pip install '.[server]' in a checkout of Norn",
        )
    return Program(good[0][1], good[0][0], server)


def fill(restorer: Program, url: str, dump: Path) -> None:
    """Fills an empty database from a dump, all of it or nothing; raises NotStarted."""
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


def _major(program: Path) -> int | None:
    """Answers the major version of a program, None when it is not there."""
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return None
    version = re.search(r"PostgreSQL\) (\d+)", asked.stdout)
    return int(version[1]) if version else None


def _without_the_setting(script: Path) -> Path:
    """Answers a copy of the script that an older server understands; the script goes."""
    copy = script.with_suffix(".older.sql")
    copy.touch(mode=0o600)
    with script.open("rb") as lines, copy.open("wb") as kept:
        kept.writelines(line for n, line in enumerate(lines) if n >= _IN_THE_HEAD or line != _SETTING)
    script.unlink()
    return copy
