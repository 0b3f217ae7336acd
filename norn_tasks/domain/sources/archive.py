"""Reads an uploaded source, a tar.gz, once and within limits, because an attacker may have made it (docs/security.md
4).

The API reads an archive to compute the digest of its tree, and discards the contents. A worker reads the same bytes and
keeps the contents. Both refuse paths and links that lead out of the tree, entries below a link, devices, sparse files,
hard links, and repeated paths. They check the limits while they unpack.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Protocol, Self, cast

from norn_tasks.domain.errors import BodyTooLarge, InvalidRequest
from norn_tasks.domain.sources.links import leading_out
from norn_tasks.domain.sources.source_tree import DEEPEST, LEFT_OUT, MOST_FILES, EntryKind, Tree, TreeDigest
from norn_tasks.domain.wording import shown

_LONGEST_NAME, _LONGEST_PATH, _LONGEST_TARGET = 255, 2048, 1024
_NAMES = 16 * 1024 * 1024
"""The most bytes of all paths and link targets together, because they stay in memory until the end."""

_HEADERS = 3 * 512
"""The most bytes that tar may need in addition to the content of an entry."""

_LONGEST_HEADER = 16 * 1024
_READ_WHOLE = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE
)  # fmt: skip
_PIECE = 256 * 1024
_ENDS = ("EOFHeaderError", "EmptyHeaderError")
"""Errors that tarfile raises at the end of an archive: for a block of zeros, or for missing bytes."""

_EXECUTABLE = 0o100
_UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError, OverflowError)
"""Errors that tarfile and gzip raise if the bytes are not an archive, or are a malicious one."""


class ArchiveConsumer(Protocol):
    """Receives the entries of an archive in order. Paths are relative, and each directory comes before its contents."""

    def directory(self, path: str) -> None:
        """Receives a directory."""

    def link(self, path: str, target: str) -> None:
        """Receives a symbolic link."""

    def file(self, path: str, pieces: Iterator[bytes], *, program: bool) -> None:
        """Receives a file; its pieces must be read to the end."""


class DiscardingConsumer:
    """Discards all entries (an `ArchiveConsumer`)."""

    def directory(self, path: str) -> None:
        """Ignores the directory."""

    def link(self, path: str, target: str) -> None:
        """Ignores the link."""

    def file(self, path: str, pieces: Iterator[bytes], *, program: bool) -> None:
        """Reads the file to the end."""
        for _ in pieces:
            pass


def read(stream: IO[bytes], most: int, keep: ArchiveConsumer) -> Tree:
    """Reads an archive of at most `most` bytes of content and returns its tree.

    Raises InvalidRequest for a forbidden entry or for bytes that are not an archive, and BodyTooLarge if a limit is
    exceeded.
    """
    reading = _ArchiveReading(most, keep)
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as plain:
            bounded = cast(IO[bytes], _Bounded(cast(IO[bytes], plain), most))
            with tarfile.open(
                fileobj=bounded, mode="r|", encoding="utf-8", errors="surrogateescape", tarinfo=_Entry
            ) as archive:
                while member := archive.next():
                    reading.take(archive, member)
                    _forget(archive)
                _require_end(archive)
    except _UNREADABLE as error:
        raise InvalidRequest(
            "the source cannot be read: it is not a complete tar.gz", hint="norn deploy packs one; else tar -czf"
        ) from error
    return reading.tree()


class _Entry(tarfile.TarInfo):
    """An archive entry with a limit for long names and PAX headers, because tarfile would read them completely into
    memory.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Returns the next entry.

        Raises ValueError for an unreadable header. After the first entry, tarfile would take such a header for the end
        of the archive.
        """
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if type(error).__name__ in _ENDS:
                raise
            raise ValueError(f"a header cannot be read: {error}") from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _READ_WHOLE and self.size > _LONGEST_HEADER:
            raise ValueError("a header is too long")
        entry: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return entry


class _Bounded:
    """The unpacked bytes, limited to the most that a valid archive can need."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._most = stream, most
        self._left = most + (MOST_FILES + 1) * _HEADERS

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._most)
        return piece


class _ArchiveReading:
    """An archive that is being read, with its entries so far."""

    def __init__(self, most: int, keep: ArchiveConsumer) -> None:
        self._most, self._keep = most, keep
        self._kinds: dict[str, EntryKind] = {}
        self._links: dict[str, str] = {}
        self._entries = self._size = self._names = 0
        self._digest = TreeDigest()

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Reads one entry, and checks it."""
        self._count(1, 0)
        path = _path(member.name)
        if path is None:
            return
        if member.isdir():
            self._directory(path)
        elif member.issym():
            self._link(path, member.linkname)
        elif member.isreg() and not member.issparse() and member.size >= 0:
            self._count(0, member.size)
            self._file(path, archive, member)
        else:
            raise InvalidRequest(
                f"{shown(path)} in the source is neither file, directory nor symbolic link",
                hint="leave it out; hard links can be packed as files: tar --hard-dereference",
            )

    def tree(self) -> Tree:
        """Returns the tree of all entries; raises InvalidRequest for a link that leads out of it."""
        if not self._kinds:
            raise InvalidRequest("the source is empty", hint="pack the directory that holds infraspec.yaml")
        lost = leading_out(self._links)
        if lost is not None:
            raise InvalidRequest(
                f"the link {shown(lost)} points outside the source, or in a circle: to {shown(self._links[lost])}",
                hint="make it lead to a file of the source, or exclude it with .dockerignore",
            )
        return Tree(self._digest.hexdigest(), len(self._kinds), self._size)

    def _directory(self, path: str) -> None:
        if self._kinds.get(path) is EntryKind.DIRECTORY:
            return
        self._enter(path, EntryKind.DIRECTORY)
        self._keep.directory(path)
        self._digest.add(path, EntryKind.DIRECTORY)

    def _link(self, path: str, target: str) -> None:
        if not target or "\0" in target or len(os.fsencode(target)) > _LONGEST_TARGET:
            raise InvalidRequest(f"the link {shown(path)} has a target that no link can have", hint="leave it out")
        self._enter(path, EntryKind.LINK)
        self._name(target)
        self._links[path] = target
        self._keep.link(path, target)
        self._digest.add(path, EntryKind.LINK, hashlib.sha256(os.fsencode(target)).hexdigest())

    def _file(self, path: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        kind = EntryKind.PROGRAM if member.mode & _EXECUTABLE else EntryKind.FILE
        self._enter(path, kind)
        content = hashlib.sha256()
        self._keep.file(path, _pieces(archive, member, content), program=kind is EntryKind.PROGRAM)
        self._digest.add(path, kind, content.hexdigest())

    def _enter(self, path: str, kind: EntryKind) -> None:
        """Records the kind of a path; refuses a path that is repeated or not below a directory."""
        if path in self._kinds:
            raise InvalidRequest(f"the source holds {shown(path)} twice", hint="pack it again")
        above = os.path.dirname(path)  # noqa: PTH120 - a path of the archive, on no disk
        if above:
            if self._kinds.get(above, EntryKind.DIRECTORY) is not EntryKind.DIRECTORY:
                raise InvalidRequest(
                    f"{shown(path)} is below {shown(above)}, which is no directory", hint="pack the source again"
                )
            self._directory(above)
        self._kinds[path] = kind
        self._name(path)
        if len(self._kinds) > MOST_FILES:
            raise too_large(self._most)

    def _name(self, text: str) -> None:
        self._names += len(os.fsencode(text))
        if self._names > _NAMES:
            raise InvalidRequest(
                f"the paths in the source are longer than {_NAMES // 2**20} MiB together",
                hint="exclude generated files with .dockerignore",
            )

    def _count(self, entries: int, size: int) -> None:
        self._entries += entries
        self._size += size
        if self._entries > MOST_FILES or self._size > self._most:
            raise too_large(self._most)


def _forget(archive: tarfile.TarFile) -> None:
    """Makes tarfile forget the entries so far. Otherwise it would keep each of them, with a copy of all headers."""
    archive.members = []  # type: ignore[attr-defined]
    archive.pax_headers = {}


def _require_end(archive: tarfile.TarFile) -> None:
    """Reads to the end, so that gzip verifies its checksum; raises ValueError if a byte after the archive is
    not zero.
    """
    stream = cast(IO[bytes], archive.fileobj)
    while piece := stream.read(_PIECE):
        if piece.strip(b"\0"):
            raise ValueError("there are further bytes after its end")


def _path(name: str) -> str | None:
    """Returns an entry's path in its shortest form; None for the root itself, and for entries that are ignored."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise InvalidRequest(
            f"{shown(name)} points outside the source", hint="pack it with paths relative to its own directory"
        )
    if not parts or LEFT_OUT in parts:
        return None
    path = "/".join(parts)
    longest = max(len(os.fsencode(part)) for part in parts)
    if len(parts) > DEEPEST or longest > _LONGEST_NAME or len(os.fsencode(path)) > _LONGEST_PATH:
        raise InvalidRequest(
            f"the path {shown(path)} is too long, or more than {DEEPEST} directories deep", hint="leave it out"
        )
    return path


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo, content: hashlib._Hash) -> Iterator[bytes]:
    source = archive.extractfile(member)
    assert source is not None, "a regular file has content"
    left = member.size
    while left:
        piece = source.read(min(_PIECE, left))
        if not piece:
            raise EOFError
        left -= len(piece)
        content.update(piece)
        yield piece


def too_large(most: int) -> BodyTooLarge:
    """Returns the error for a source that is over the limits."""
    return BodyTooLarge(
        f"the source is larger than {most / 2**20:g} MiB or {MOST_FILES} files",
        hint="exclude large files with .dockerignore, or raise NORN_SOURCE_MAX on the server",
        limit=most,
    )
