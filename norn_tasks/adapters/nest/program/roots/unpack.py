"""A separate program that unpacks one layer: it reads a tar archive from stdin, and prints the archive's digest.

It changes its root to the layer's directory before it reads anything, so that no name or link in the archive can lead
outside. All modules that it needs are imported before that.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
from pathlib import Path
from typing import IO, cast

from norn_tasks.adapters.nest.program.sandbox import FIRST_ID, IDS

_CHUNK = 1 << 20
_OPAQUE, _WHITEOUT = ".wh..wh..opq", ".wh."


def main() -> None:
    """Unpacks into the directory that the command line names."""
    os.chroot(sys.argv[1])
    os.chdir("/")
    os.umask(0)
    os.chown("/", FIRST_ID, FIRST_ID)
    print(_unpacked(sys.stdin.buffer), flush=True)


class _Hashing(io.RawIOBase):
    """A stream that computes the digest of the bytes that are read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data


def _unpacked(archive: IO[bytes]) -> str:
    source = _Hashing(_plain(archive))
    directories = []
    try:
        with tarfile.open(fileobj=source, mode="r|") as layer:
            for member in layer:
                if _put(layer, member) and member.isdir():
                    directories.append(member)
    except tarfile.ReadError:  # this file describes the image, and is not a layer
        while archive.read(_CHUNK):
            continue
        return ""
    while source.read(_CHUNK):
        continue
    for member in reversed(directories):
        os.utime(_path(member.name), (member.mtime, member.mtime))
    return source.digest.hexdigest()


def _plain(archive: IO[bytes]) -> IO[bytes]:
    """Returns the uncompressed archive. Newer engines save layers compressed, as they were pulled."""
    buffered = cast(io.BufferedReader, archive)
    compressed = buffered.peek(2)[:2] == b"\x1f\x8b"
    return cast(IO[bytes], gzip.GzipFile(fileobj=buffered)) if compressed else archive


def _path(name: str) -> Path:
    return Path(os.path.normpath(f"/{name}"))


def _put(layer: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Creates one entry of a layer. Returns False for the root, for the mark of a deletion, for a hard link and for a
    device.
    """
    path = _path(member.name)
    if path == Path("/"):
        _own(path, member)
        return False
    _make_parents(path.parent)
    if path.name == _OPAQUE:
        os.setxattr(path.parent, "trusted.overlay.opaque", b"y")
        return False
    if path.name.startswith(_WHITEOUT):
        os.mknod(path.with_name(path.name.removeprefix(_WHITEOUT)), stat.S_IFCHR, 0)
        return False
    _clear(path, member)
    if not _make(layer, member, path):
        return False
    _own(path, member)
    return True


def _make_parents(path: Path) -> None:
    """Creates parent directories that the layer does not list; they belong to the sandbox's root user."""
    if not os.path.lexists(path):
        _make_parents(path.parent)
        path.mkdir(mode=0o755)
        os.chown(path, FIRST_ID, FIRST_ID)


def _clear(path: Path, member: tarfile.TarInfo) -> None:
    if not os.path.lexists(path):
        return
    is_directory = path.is_dir() and not path.is_symlink()
    if is_directory and not member.isdir():
        shutil.rmtree(path)
    elif not is_directory:
        path.unlink()


def _make(layer: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bool:
    if member.isdir():
        path.mkdir(exist_ok=True)
    elif member.issym():
        path.symlink_to(member.linkname)
    elif member.islnk():
        os.link(_path(member.linkname), path, follow_symlinks=False)
        return False
    elif member.isfifo():
        os.mkfifo(path)
    elif member.isreg():
        content = layer.extractfile(member)
        with path.open("wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, _CHUNK)
    else:  # a device, which no sandbox could use
        return False
    return True


def shifted(number: int) -> int:
    """Converts the number of an image's user or group into a number of the machine; an archive may contain any number,
    even a negative one.
    """
    return FIRST_ID + (number if 0 <= number < IDS else IDS - 2)


def _own(path: Path, member: tarfile.TarInfo) -> None:
    os.chown(path, shifted(member.uid), shifted(member.gid), follow_symlinks=False)
    if not member.issym():
        path.chmod(member.mode & 0o7777)
    for key, value in member.pax_headers.items():
        # Only user attributes are set; file capabilities have no effect in a sandbox.
        attribute = key.removeprefix("SCHILY.xattr.")
        if attribute != key and attribute.startswith("user."):
            with contextlib.suppress(OSError):
                os.setxattr(path, attribute, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)


if __name__ == "__main__":
    main()
