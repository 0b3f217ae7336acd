"""The file in a backup with the requests of calls that had not ended, one line of JSON for each."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from norn_tasks.store.database.session import Database
from norn_tasks.store.upkeep import open_calls


def now(database: Database) -> datetime:
    """Returns the time of the database's clock."""
    with database.transaction() as tx:
        return open_calls.now(tx)


def save(database: Database, file: Path, *, since: datetime) -> Path:
    """Writes the requests of calls that were open at the time `since` or later; returns the file."""
    file.touch(mode=0o600)
    with database.transaction() as tx, file.open("w") as lines:
        for execution, request in open_calls.requests_since(tx, since):
            body = None if request is None else b64encode(request).decode()
            lines.write(json.dumps({"execution": execution, "request": body}) + "\n")
    return file


def load(database: Database, file: Path) -> None:
    """Adds the requests in the file to the restored calls."""
    with database.transaction() as tx:
        open_calls.add(tx, _read(file))


def _read(file: Path) -> Iterator[tuple[int, bytes | None]]:
    with file.open() as lines:
        for call in map(json.loads, lines):
            yield call["execution"], None if call["request"] is None else b64decode(call["request"])
