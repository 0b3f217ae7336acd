"""Unpacks an uploaded source from the database into a private directory of this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from norn_tasks import trees
from norn_tasks.domain.errors import SourceError
from norn_tasks.domain.sources import archive
from norn_tasks.ports import Checkout, Uploads, Watch


class UnpackedUploads:
    """Implements `ports.Sources` over `uploads`; `most` is the limit of a source in bytes."""

    def __init__(self, uploads: Uploads, *, most: int) -> None:
        self._uploads = uploads
        self._most = most

    def checkout(self, app: str, revision: str, into: Path, watch: Watch) -> Checkout:
        """Unpacks the tree into `into`, and checks that its content has this revision; raises SourceError if not."""
        trees.remove(into)
        into.mkdir(parents=True)
        stored = io.BufferedReader(_StoredPieces(self._uploads.pieces(app, revision)))
        tree = archive.read(stored, self._most, _Unpacking(into, watch))
        if tree.revision != revision:
            raise SourceError(
                f"the stored source {revision} of {app} is another tree now: {tree.revision}",
                hint=f"deploy it again from its directory: norn deploy ./{app}",
            )
        return Checkout(into, revision)


class _Unpacking:
    """Implements `archive.ArchiveConsumer`: writes the entries of an archive as files. Every parent directory is one
    that this class created, never a link.
    """

    def __init__(self, into: Path, watch: Watch) -> None:
        self._into, self._watch = into, watch

    def directory(self, path: str) -> None:
        """Makes a directory."""
        (self._into / path).mkdir()

    def link(self, path: str, target: str) -> None:
        """Makes a link."""
        (self._into / path).symlink_to(target)

    def file(self, path: str, pieces: Iterator[bytes], *, program: bool) -> None:
        """Writes a file."""
        target = self._into / path
        with target.open("xb") as file:
            for piece in pieces:
                self._watch.stop.check()
                file.write(piece)
        target.chmod(0o755 if program else 0o644)


class _StoredPieces(io.RawIOBase):
    """Makes stored chunks readable as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        """Fills the buffer from the current chunk, or from the next one."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
