"""Hostile archives: every combination of names and kinds of entries, and damaged archives."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator

NAMES = (
    "..",
    "../x",
    "../../x",
    "/x",
    "//x",
    "a/../../x",
    "./../x",
    "a/..",
    "a/./../../x",
    "a//../..//x",
    "x/../../y",
    ".",
    "./",
    "",
    "a\\..\\x",
    "..\\x",
    "C:\\x",
    "a\x00b",
    "a\nb",
    "\x1b]0;x\x07",
    "\udcff\udcfe",
    "a" * 256,
    "a/" * 70 + "x",
    "/".join("a" * 200 for _ in range(30)),
    "x" * 5_000,
    ".git",
    ".git/config",
    ".GIT/config",
    "a/.git/hooks/x",
    "~/x",
)
KINDS = {
    "file": tarfile.REGTYPE,
    "old": tarfile.AREGTYPE,
    "contiguous": tarfile.CONTTYPE,
    "directory": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
    "unknown": b"Z",
    "volume": b"V",
    "multi": b"M",
}
TARGETS = ("..", "../..", "/", "/etc/passwd", "a/../../x", "", "x/../..", "\x00", "a" * 5_000)


def of_entries() -> Iterator[tuple[str, bytes]]:
    """Yields a tar.gz for each combination of a name and a kind of entry, and one for each target of a link."""
    for kind, code in KINDS.items():
        for name in NAMES:
            yield f"{kind} {name[:20]!r}", packed(("Dockerfile", tarfile.REGTYPE, ""), (name, code, "Dockerfile"))
    for target in TARGETS:
        for code in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            yield f"to {target[:20]!r}", packed(("d/l", code, target), ("d/l/x", tarfile.REGTYPE, ""))
            yield f"twice to {target[:20]!r}", packed(("l", code, target), ("l", tarfile.REGTYPE, ""))


def packed(*entries: tuple[str, bytes, str]) -> bytes:
    """Returns a tar.gz of entries, each with a name, a kind and the target of a link; a file has a few bytes."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as opened:
        for name, kind, target in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            entry.size = 4 if kind in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) else 0
            opened.addfile(entry, io.BytesIO(b"text"))
    return gzip.compress(into.getvalue(), 1, mtime=0)


def two_files() -> bytes:
    """Returns a plain tar of two files, each with one block."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=tarfile.USTAR_FORMAT) as opened:
        for name in ("a", "b"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            opened.addfile(entry, io.BytesIO(b"text"))
    return into.getvalue()


def damaged() -> Iterator[bytes]:
    """Yields the plain tar of two files many times, each time with another byte of its headers changed."""
    whole = two_files()
    for at in (*range(512), *range(1024, 1536)):
        yield whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
