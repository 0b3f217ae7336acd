"""Uploaded sources, read from the database chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.domain.errors import SourceError
from norn_tasks.store.apps import uploads
from norn_tasks.store.database.session import Database


class UploadTable:
    """Implements `ports.Uploads`: reads an archive, each chunk in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pieces(self, app: str, revision: str) -> Iterator[bytes]:
        """Yields the archive's chunks; raises SourceError if the source is not stored."""
        n = 0
        while (piece := self._piece(app, revision, n)) is not None:
            yield piece
            n += 1
        if n == 0:
            raise SourceError(f"the uploaded source {revision} of {app} is not kept", hint=uploads.AGAIN)

    def _piece(self, app: str, revision: str, n: int) -> bytes | None:
        with self._database.transaction() as tx:
            return uploads.piece(tx, app, revision, n)
