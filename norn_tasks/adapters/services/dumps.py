"""Dumps of apps' databases: files that PostgreSQL's own programs write, check and restore."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from norn_tasks.adapters.processes.process import Command, base_environment, run
from norn_tasks.adapters.services.counting import frozen
from norn_tasks.adapters.services.postgres import cursor
from norn_tasks.adapters.services.restoring import to
from norn_tasks.adapters.services.storage import FileBucket
from norn_tasks.domain.errors import Conflict, StepFailed
from norn_tasks.domain.services import BACKUP_SUFFIX, Dump, DumpDirectories
from norn_tasks.ports import Watch

DUMP_SECONDS = 3600.0
"""The most seconds of a dump, and of a restore."""
_VERSION_SECONDS = 10.0
_SYSTEM = Path("/usr/lib/postgresql")


class BackupUnusable(StepFailed):
    """Raised when the file of a snapshot is not on this machine, cannot be restored, or has other row counts than
    recorded.
    """

    code = "backup_unusable"


@dataclass(frozen=True)
class Dumps:
    """The dumps, in directories that only Norn can read. `programs` returns further directories that contain
    PostgreSQL's programs.
    """

    directories: DumpDirectories
    programs: Callable[[], Iterable[Path]] = tuple
    bucket: FileBucket | None = None
    """The bucket in which backups are stored; None if they are in a directory."""

    def take(self, url: str, database: str, name: str, watch: Watch) -> Dump:
        """Writes a dump, checks it by reading its list of contents, and counts its rows; returns its size and the
        counts. Replaces a file of the same name.

        The dump and the counts are from the same moment, even if the database is written to at the same time.
        """
        path = self.directories.path(name)
        part = path.with_name(f".{name}.{watch.fence.token}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_parts(path, watch.fence.token)
            part.touch(mode=0o600)
            with frozen(to(url, database), watch.stop) as moment:
                dump = ("pg_dump", "--format=custom", "--no-password", f"--snapshot={moment.name}", f"--file={part}")
                self._run(to(url, database), dump, f"the snapshot of {database}", watch)
                counts = moment.counts()
            self._run(None, ("pg_restore", "--list", str(part)), f"the check of the snapshot of {database}", watch)
            size = part.stat().st_size
            self._keep(part, name, watch)
        except OSError as error:
            raise StepFailed(
                f"the snapshot of {database} cannot be written: {error.strerror} ({path.parent})",
                hint="make room on that disk, or let the user of the deploy workers write there",
            ) from error
        finally:
            with suppress(OSError):  # the error raised above has already reported the fault of the directory
                part.unlink(missing_ok=True)
        return Dump(size, counts)

    def _keep(self, part: Path, name: str, watch: Watch) -> None:
        """Gives a complete dump its final name, in its directory or in the bucket."""
        bucket, path = self._bucket_of(name), self.directories.path(name)
        _to_disk(part)
        watch.stop.check()  # if this worker was frozen here, it must not change the file of the next owner
        if bucket is not None:
            bucket.put(part, name, watch.stop)
            return
        part.replace(path)
        _to_disk(path.parent)

    def _bucket_of(self, name: str) -> FileBucket | None:
        return self.bucket if name.endswith(BACKUP_SUFFIX) else None

    def restore(self, url: str, name: str, watch: Watch) -> None:
        """Restores a dump into the empty database at a URL; raises BackupUnusable, or StepFailed if a part fails."""
        with self._here(name, watch) as path:
            self._restore(url, name, path, watch)

    @contextmanager
    def _here(self, name: str, watch: Watch) -> Iterator[Path]:
        """Yields the local file of a dump. The file of a backup from the bucket is removed at the end of the block."""
        bucket, path = self._bucket_of(name), self.directories.path(name)
        if bucket is None:
            if not path.is_file():
                raise BackupUnusable(
                    f"the file {path} is not on the machine of this worker",
                    hint="for backups, let all deploy workers use one shared directory: NORN_DATABASE_BACKUPS",
                )
            yield path
            return
        part = path.with_name(f".{name}.{watch.fence.token}.part")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_parts(path, watch.fence.token)
        part.touch(mode=0o600)
        try:
            if not bucket.get(name, part, watch.stop):
                raise BackupUnusable(
                    f"the bucket {bucket.bucket} has no {bucket.prefix}{name}",
                    hint="norn db snapshots lists others; the database is as it was",
                )
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _restore(self, url: str, name: str, path: Path, watch: Watch) -> None:
        restore = ("pg_restore", "--exit-on-error", "--no-owner", "--no-password", str(path))
        try:
            self._run(url, restore, f"the restore of {name}", watch)
        except StepFailed as error:
            hint = "norn db snapshots lists others; the database is as it was"
            raise BackupUnusable(error.sentence, hint=hint) from error

    def remove(self, name: str) -> bool:
        """Removes a dump; returns False if it does not exist."""
        bucket = self._bucket_of(name)
        if bucket is not None:
            return bucket.remove(name)
        try:
            self.directories.path(name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StepFailed(f"{self.directories.path(name)} cannot be removed: {error.strerror}") from error
        return True

    def _run(self, url: str | None, words: Sequence[str], what: str, watch: Watch) -> None:
        """Runs one of PostgreSQL's programs. The password is passed in the environment, not on the command line."""
        server = _server_version(url) if url is not None else 0
        program = _fitting(words[0], server, self._places(), watch)
        environment: dict[str, str] = dict(base_environment())
        more: tuple[str, ...] = ()
        if url is not None:
            dsn, password = _dsn(url)
            environment |= {"PGPASSWORD": password} if password else {}
            more = (f"--dbname={dsn}",)
        lines: list[str] = []
        command = Command(what, (str(program), *more, *words[1:]), environment, DUMP_SECONDS, lines.append, watch.stop)
        ended = run(command)
        if ended.code != 0:
            said = "; ".join(ended.last_lines[-3:])[:400]
            raise StepFailed(f"{what} failed: {said}", hint="norn doctor; is there room on the disk?")

    def _places(self) -> Iterable[Path]:
        yield from self.programs()
        yield from (Path(each) for each in os.environ.get("PATH", os.defpath).split(os.pathsep))
        yield from sorted(_SYSTEM.glob("*/bin"))


def _remove_parts(path: Path, token: int) -> None:
    """Removes the incomplete dumps of earlier owners of the job, but not the incomplete dump of a later owner."""
    for each in path.parent.glob(f".{path.name}.*part"):
        number = each.name.split(".")[-2]
        if not number.isdigit() or int(number) < token:
            each.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Waits until a file or directory is on the disk, so that no row names a file that a power cut could lose."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _dsn(url: str) -> tuple[str, str]:
    """Returns the connection string without its password, and separately the password."""
    parts = parse_dsn(url)
    password = str(parts.pop("password", ""))
    return make_dsn(**parts), password


def _server_version(url: str) -> int:
    with cursor(url) as done:
        return int(done.connection.server_version) // 10_000


def _fitting(name: str, server: int, directories: Iterable[Path], watch: Watch) -> Path:
    """Returns the path of the program in the version nearest to the server's, but never in an older version."""
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
