"""Stores files as objects in one bucket, for backups of databases. Each file is written, read and removed
completely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from norn_tasks.adapters.services.storage.requests import ObjectStore, StoreRefused
from norn_tasks.domain.errors import NoService, StepFailed
from norn_tasks.ports import Stop

_PIECE = 1024 * 1024
LARGEST = 5 * 1024**3
"""The most bytes that S3 accepts in one request."""


@dataclass(frozen=True)
class FileBucket:
    """The bucket that holds the files; `prefix`, such as `norn/`, comes before the names of the objects."""

    url: str
    bucket: str
    prefix: str = ""

    def put(self, file: Path, name: str, stop: Stop) -> None:
        """Uploads a file; an object of the same name is replaced only when the upload is complete."""
        size = file.stat().st_size
        if size > LARGEST:
            raise StepFailed(
                f"{name} has {size} bytes, and an object store takes at most {LARGEST} at once",
                hint="name a directory in NORN_DATABASE_BACKUPS instead",
            )
        digest = hashlib.sha256()
        for piece in _pieces(file, stop):
            digest.update(piece)
        with self._store() as store:
            headers = {"content-length": str(size)}
            store.send("PUT", self._path(name), _pieces(file, stop), digest.hexdigest(), headers)

    def get(self, name: str, file: Path, stop: Stop) -> bool:
        """Downloads an object into a file; returns False if the object does not exist."""
        with self._store() as store, _missing() as found:
            with store.reading(self._path(name)) as pieces, file.open("wb") as out:
                for piece in pieces:
                    stop.check()
                    out.write(piece)
            found.append(True)
        return bool(found)

    def remove(self, name: str) -> bool:
        """Deletes an object; returns False if it does not exist."""
        with self._store() as store, _missing() as found:
            store.s3("HEAD", self._path(name))
            store.s3("DELETE", self._path(name))
            found.append(True)
        return bool(found)

    def _store(self) -> ObjectStore:
        if not self.url:
            raise NoService(
                f"this Norn has no object store for s3://{self.bucket}",
                hint="name one in NORN_SERVICES_S3_URL, or a directory in NORN_DATABASE_BACKUPS",
            )
        return ObjectStore(self.url)

    def _path(self, name: str) -> str:
        return f"{self.bucket}/{quote(self.prefix + name)}"


@contextmanager
def _missing() -> Iterator[list[bool]]:
    """Yields a list to which the block adds an element on success; if the store has no such object, suppresses the
    error and empties the list.
    """
    found: list[bool] = []
    try:
        yield found
    except StoreRefused as error:
        if error.reason not in ("NoSuchKey", f"HTTP {HTTPStatus.NOT_FOUND.value}"):
            raise
        found.clear()


def _pieces(file: Path, stop: Stop) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            stop.check()
            yield piece
