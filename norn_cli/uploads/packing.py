"""Packs a directory as an app's source: a tar.gz that is the same, byte by byte, for the same tree.

The tree's name is the one that the server computes when it reads the archive (norn_tasks.domain.sources.source_tree).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from norn_cli.errors import CliError
from norn_cli.uploads.ignoring import Ignored

MOST_FILES = 50_000
_PRIVATE = re.compile(
    r"\.env(?:rc|\.(?!example|sample|template|dist)[\w.-]+)?|id_(?:rsa|ed25519|ecdsa)|.*\.(?:pem|key|p12|pfx|jks|keystore)"
    r"|\.netrc|\.pgpass|\.htpasswd|credentials\.json|service[-_]?account[\w.-]*\.json|secrets?\.(?:ya?ml|json|toml|env)"
)


@dataclass(frozen=True)
class Packed:
    """A packed source: its archive, the name of its tree, and its size."""

    archive: bytes
    revision: str
    files: int
    size: int
    left_out: tuple[str, ...] = ()
    """Entries that are neither file, directory nor link."""
    private: tuple[str, ...] = ()
    """Files that usually hold secrets."""


def pack(directory: Path, ignored: Ignored, most: int) -> Packed:
    """Packs the directory; raises CliError if it cannot be read, or is over `most` bytes."""
    try:
        return _Packing(directory, ignored, most).packed()
    except OSError as error:
        raise CliError(
            f"{error.filename or directory} cannot be read: {error.strerror}",
            hint="exclude it with .dockerignore, or make it readable",
        ) from error


class _Packing:
    """One directory being packed."""

    def __init__(self, directory: Path, ignored: Ignored, most: int) -> None:
        self._root, self._ignored, self._most = directory, ignored, most
        self._said: list[bytes] = []
        self._left_out: list[str] = []
        self._private: list[str] = []
        self._directories: set[str] = set()
        self._size = 0

    def packed(self) -> Packed:
        """Packs the directory."""
        into = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=into, mode="wb", filename="", mtime=0) as zipped,
            tarfile.open(
                fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
            ) as archive,
        ):
            for entry, path in self._entries(self._root, ""):
                self._one(archive, entry, path)
        tree = hashlib.sha256(b"\n".join(sorted(self._said))).hexdigest()
        return Packed(
            into.getvalue(),
            f"src-{tree[:12]}",
            len(self._said),
            self._size,
            tuple(self._left_out),
            tuple(self._private),
        )

    def _entries(self, directory: Path, above: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path, is_directory = above + entry.name, entry.is_dir(follow_symlinks=False)
            left_out = self._ignored.leaves_out(path, directory=is_directory)
            if not left_out:
                yield entry, path
            if is_directory and (not left_out or self._ignored.may_hold(path)):
                yield from self._entries(Path(entry.path), f"{path}/")

    def _one(self, archive: tarfile.TarFile, entry: os.DirEntry[str], path: str) -> None:
        self._directory(archive, os.path.dirname(path))  # noqa: PTH120 - a path of the archive
        member = tarfile.TarInfo(path)
        if entry.is_symlink():
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.readlink(entry.path), 0o777  # noqa: PTH115
            self._say(path, "l", os.fsencode(member.linkname))
            archive.addfile(member)
        elif entry.is_dir(follow_symlinks=False):
            self._directory(archive, path)
        elif entry.is_file(follow_symlinks=False):
            self._file(archive, member, entry.path)
            if _PRIVATE.fullmatch(entry.name):
                self._private.append(path)
        else:
            self._left_out.append(path)

    def _directory(self, archive: tarfile.TarFile, path: str) -> None:
        """Packs a directory, after those above it, unless it is packed already. A directory that the rules leave out is
        packed too if an entry in it is kept.
        """
        if not path or path in self._directories:
            return
        self._directory(archive, os.path.dirname(path))  # noqa: PTH120 - a path of the archive
        self._directories.add(path)
        member = tarfile.TarInfo(path)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        self._say(path, "d", None)
        archive.addfile(member)

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            runs = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
            content = file.read(self._most - self._size + 1)
        self._size += len(content)
        self._say(member.name, "x" if runs else "f", content)
        member.size, member.mode = len(content), 0o755 if runs else 0o644
        archive.addfile(member, io.BytesIO(content))

    def _say(self, path: str, kind: str, content: bytes | None) -> None:
        digest = "" if content is None else hashlib.sha256(content).hexdigest()
        self._said.append(b"\0".join((os.fsencode(path), kind.encode(), digest.encode())))
        if self._size > self._most or len(self._said) > MOST_FILES:
            raise CliError(
                f"{self._root} is larger than {self._most / 2**20:g} MiB or {MOST_FILES} files, at {path}",
                hint="exclude large files with .dockerignore or .gitignore, or raise NORN_SOURCE_MAX on the server",
            )
