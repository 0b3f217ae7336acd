"""Snapshots of apps' databases: dumps in files, each with the number of rows of every table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

RowCounts = Mapping[str, int]
"""The number of rows of each table of a database, by `schema.table`."""
BACKUP_SUFFIX = ".backup"
"""The suffix of the names of backups, which have a directory of their own."""


_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w.-]+)*)/?", re.ASCII)


def bucket_of_backups(setting: str) -> tuple[str, str] | None:
    """Returns the bucket that the setting names, and the prefix for names in it; None if the setting names a
    directory.
    """
    found = _BUCKET.fullmatch(setting)
    return None if found is None else (found[1], f"{found[2][1:]}/" if found[2] else "")


def _backup_directory(text: str) -> str:
    """Returns the text if it is an absolute path, a bucket such as s3://backups/norn, or empty; raises ValueError
    otherwise.
    """
    if text and not text.startswith("/") and not _BUCKET.fullmatch(text):
        raise ValueError("neither an absolute path such as /backups/databases nor a bucket such as s3://backups/norn")
    return text


BackupDirectory = Annotated[str, AfterValidator(_backup_directory)]
"""The type of the setting that names the directory or the bucket of backups; empty for one in the data directory."""


@dataclass(frozen=True)
class DumpDirectories:
    """The directories of the files of snapshots and of backups."""

    snapshots: Path
    backups: Path

    def path(self, name: str) -> Path:
        """Returns the path of a dump by its name."""
        return (self.backups if name.endswith(BACKUP_SUFFIX) else self.snapshots) / name


def dump_directories(data: Path, backups: str) -> DumpDirectories:
    """Returns the directories in a data directory; `backups` names another directory for backups, or is empty.

    A backup that goes to a bucket is first written into the data directory.
    """
    data, elsewhere = data.expanduser(), bool(backups) and bucket_of_backups(backups) is None
    return DumpDirectories(data / "snapshots", Path(backups) if elsewhere else data / "backups")


class SnapshotReason(StrEnum):
    """The reason for a snapshot of a database."""

    DEPLOY = "deploy"
    """A migration was about to change the database."""
    MANUAL = "manual"
    """A person requested it."""
    RESTORE = "restore"
    """A restore was about to replace the database."""
    BACKUP = "backup"
    """The backup schedule was due, or a person requested a backup."""


@dataclass(frozen=True)
class Dump:
    """A complete dump."""

    bytes: int
    """The size of its file."""
    counts: RowCounts
    """The number of rows of each table in it."""


@dataclass(frozen=True)
class Snapshot:
    """A dump of an app's database, stored on the machine of the worker that made it."""

    id: int
    """Its number."""
    app: str
    """The app whose database it is."""
    database: str
    """The database."""
    reason: SnapshotReason
    """The reason for the snapshot."""
    release: int | None
    """The release whose migration came after the snapshot; None if its job makes no release."""
    at: datetime
    """When the snapshot was begun."""
    bytes: int | None
    """The size of its file; None until it is complete and checked."""
    counts: RowCounts | None = None
    """The number of rows of each table in it; None for a snapshot that an earlier version of Norn made."""
    drilled_at: datetime | None = None
    """When a drill (a test restore) last restored it."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.app}-{self.id}{BACKUP_SUFFIX if self.reason is SnapshotReason.BACKUP else '.dump'}"

    @property
    def rows(self) -> int | None:
        """The number of rows of all tables together."""
        return None if self.counts is None else sum(self.counts.values())


@dataclass(frozen=True)
class SeenDatabase:
    """A database of an app as its server describes it."""

    name: str
    """The database."""
    bytes: int
    """Its size on the server."""
    connections: int
    """The number of connections to it."""


def difference(expected: RowCounts, found: RowCounts) -> str:
    """Returns words about the first table with an unexpected number of rows; empty if all numbers are as expected."""
    for table in sorted(expected.keys() | found.keys()):
        if expected.get(table) != found.get(table):
            return f"{table} has {_rows(found.get(table))} instead of {_rows(expected.get(table))}"
    return ""


def _rows(count: int | None) -> str:
    return "no table" if count is None else f"{count} rows"
