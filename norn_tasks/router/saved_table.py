"""The last routing table, saved on disk. A router that starts while PostgreSQL is unreachable can serve with it.

The file names the database of the table, so that the table of another database is never used. Replicas that are being
removed are not saved, because a router that reads the file could not report when they are drained.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from norn_tasks.router_socket import fingerprint
from norn_tasks.store.replicas.routes import Route, Routes, Target

FILE_NAME = "routes.json"
REFRESH_SECONDS = 60.0
"""A file of this age is written again even if the table is the same, because the log states the file's age when a saved
table is used.
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SavedRoutes:
    """A table that was read from disk, and when the database last confirmed it."""

    routes: Routes
    saved_at: datetime

    @property
    def age(self) -> timedelta:
        """The time since the database confirmed it."""
        return datetime.now(UTC) - self.saved_at


class SavedTable:
    """The file in the data directory; if that directory does not exist, nothing is saved."""

    def __init__(self, data_dir: Path, database_url: str) -> None:
        self._path = data_dir / FILE_NAME
        self._database = fingerprint(database_url)
        self._saved: tuple[tuple[Route, ...], str | None, str] | None = None
        self._saved_at = datetime.min.replace(tzinfo=UTC)
        self._failed = False

    def save(self, routes: Routes, now: datetime | None = None) -> None:
        """Saves the table if it has changed or the file is old; a write error is logged only once."""
        now = now or datetime.now(UTC)
        content = (routes.routes, routes.runs_address, routes.instance)
        if content == self._saved and (now - self._saved_at).total_seconds() < REFRESH_SECONDS:
            return
        if not self._path.parent.is_dir():
            return
        try:
            _write(self._path, self._rendered(routes, now))
        except OSError as error:
            if not self._failed:
                log.warning(f"the routing table cannot be saved in {self._path}: {error.strerror}")
            self._failed = True
            return
        self._saved, self._saved_at, self._failed = content, now, False

    def load(self) -> SavedRoutes | None:
        """Returns the saved table of this database; None if there is none."""
        try:
            read = json.loads(self._path.read_text())
            if read["database"] != self._database:
                return None
            routes = tuple(_route(each) for each in read["routes"])
            table = Routes(routes, runs_address=read.get("runs_address"), instance=read.get("instance", ""))
            return SavedRoutes(table, datetime.fromisoformat(read["saved_at"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(f"the saved routing table {self._path} cannot be read: {error}")
            return None

    def _rendered(self, routes: Routes, now: datetime) -> bytes:
        rows = [asdict(route) for route in routes.routes]
        content = {"database": self._database, "saved_at": now.isoformat(), "routes": rows}
        return json.dumps(content | {"runs_address": routes.runs_address, "instance": routes.instance}).encode()


def _route(read: dict[str, Any]) -> Route:
    targets = tuple(Target(**target) for target in read.pop("targets"))
    return Route(targets=targets, **read)


def _write(path: Path, content: bytes) -> None:
    """Writes a file atomically: after a crash, it is complete or does not exist."""
    unfinished = path.with_suffix(".tmp")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
