"""Dumps of databases of apps: files that PostgreSQL's own programs write and check."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from norn_tasks.adapters.processes.process import Command, base_environment, run
from norn_tasks.adapters.services.postgres import cursor
from norn_tasks.domain.errors import Conflict, StepFailed
from norn_tasks.ports import Watch

DUMP_SECONDS = 3600.0
"""The most seconds of a dump, and of a restore."""
_VERSION_SECONDS = 10.0
_SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Dumps:
    """The dumps in a directory that only we can read; `programs`: further directories with PostgreSQL's programs."""

    directory: Path
    programs: Callable[[], Iterable[Path]] = tuple

    def take(self, url: str, database: str, name: str, watch: Watch) -> int:
        """Writes a dump and reads its list of contents back; returns its bytes. A file of that name is replaced."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.directory / f".{name}.part"
        try:
            part.touch(mode=0o600)
            dump = ("pg_dump", "--format=custom", "--no-password", f"--file={part}")
            self._run(url, database, dump, "the snapshot", watch)
            self._run(None, "", ("pg_restore", "--list", str(part)), "the check of the snapshot", watch)
            size = part.stat().st_size
            part.replace(self.directory / name)
        finally:
            part.unlink(missing_ok=True)
        return size

    def remove(self, name: str) -> bool:
        """Removes a dump; returns False if there is none."""
        try:
            (self.directory / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _run(self, url: str | None, database: str, words: Sequence[str], what: str, watch: Watch) -> None:
        """Runs a program of PostgreSQL; the password is passed in the environment, not on the command line."""
        server = _server_version(url) if url is not None else 0
        program = _fitting(words[0], server, self._directories(), watch)
        environment: dict[str, str] = dict(base_environment())
        more: tuple[str, ...] = ()
        if url is not None:
            dsn, password = _dsn(url, database)
            environment |= {"PGPASSWORD": password} if password else {}
            more = (f"--dbname={dsn}",)
        lines: list[str] = []
        command = Command(what, (str(program), *more, *words[1:]), environment, DUMP_SECONDS, lines.append, watch.stop)
        ended = run(command)
        if ended.code != 0:
            said = "; ".join(ended.last_lines[-3:])[:400]
            raise StepFailed(f"{what} of {database} failed: {said}", hint="norn doctor; is there room on the disk?")

    def _directories(self) -> Iterable[Path]:
        yield from self.programs()
        yield from (Path(each) for each in os.environ.get("PATH", os.defpath).split(os.pathsep))
        yield from sorted(_SYSTEM.glob("*/bin"))


def _dsn(url: str, database: str) -> tuple[str, str]:
    """Returns the connection string without its password, and the password."""
    parts = parse_dsn(url)
    password = str(parts.pop("password", ""))
    return make_dsn(**{**parts, "dbname": database}), password


def _server_version(url: str) -> int:
    with cursor(url) as done:
        return int(done.connection.server_version) // 10_000


def _fitting(name: str, server: int, directories: Iterable[Path], watch: Watch) -> Path:
    """Returns the program of the version nearest to the server's, never an older one."""
    there = {path / name for path in directories if shutil.which(name, path=str(path))}
    known = [(version, path) for path in there if (version := _version(path, watch)) >= server]
    if not known:
        raise Conflict(
            f"the databases of apps are on PostgreSQL {server}, and this worker has no {name} of that version or later",
            hint=f"apt-get install postgresql-client-{server} on the machine of the deploy workers",
        )
    return min(known)[1]


def _version(program: Path, watch: Watch) -> int:
    lines: list[str] = []
    asked = Command("the version", (str(program), "--version"), base_environment(), _VERSION_SECONDS, lines.append,
                    watch.stop)  # fmt: skip
    if run(asked).code != 0:
        return -1
    found = re.search(r"\) (\d+)", " ".join(lines))
    return int(found[1]) if found else -1
