"""A chunk: a sealed file of an app's log lines. The lines are sorted by time and compressed; a head describes them.

The text is one block, so that a regular expression can search all of it at once. The head has the reading positions of
all containers, even of those that have no lines in this chunk. So an old chunk can be deleted without losing a
position.
"""

from __future__ import annotations

import json
import logging
import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norn_tasks.adapters.kept_logs.private import opener
from norn_tasks.adapters.kept_logs.records import Positions, plain, position_of
from norn_tasks.domain.app_logs.lines import KeptLine, LogOrigin

_MAGIC = b"NORNLOG1"
_FIRST = 64 * 1024
"""The bytes of the first read of a file, which usually contain the complete head."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChunkHead:
    """The description of a chunk, at the beginning of its file."""

    origins: tuple[LogOrigin, ...]
    """The containers that wrote the lines."""
    positions: Positions
    """How far the log of every container was read when the chunk was sealed."""
    lines: int
    """The number of lines."""
    first: int
    """The time of the first line, in nanoseconds since 1970."""
    last: int
    """The time of the last line, in nanoseconds since 1970."""
    sizes: tuple[int, int, int]
    """The bytes of the head, of the compressed times, and of the compressed text."""


@dataclass(frozen=True)
class Block:
    """The lines of a chunk, or of an open file, ready to be searched."""

    origins: tuple[LogOrigin, ...]
    """The containers that wrote the lines."""
    times: array[int]
    """The time of each line, in nanoseconds since 1970."""
    owners: array[int]
    """For each line, the index of its container in `origins`."""
    streams: bytes
    """The stream of each line."""
    text: bytes
    """The texts, each with a line end."""

    def line(self, index: int, text: bytes) -> KeptLine:
        """Returns the line with this index; the caller has found its `text`."""
        return KeptLine(self.times[index], self.streams[index], text, self.origins[self.owners[index]])


def block_of(lines: Iterable[KeptLine]) -> Block:
    """Returns lines as a block that is sorted by time."""
    ordered = sorted(lines, key=lambda line: line.at)
    origins = {origin: index for index, origin in enumerate(dict.fromkeys(line.origin for line in ordered))}
    return Block(
        tuple(origins),
        array("q", [line.at for line in ordered]),
        array("H", [origins[line.origin] for line in ordered]),
        bytes(line.stream for line in ordered),
        b"".join(line.text + b"\n" for line in ordered),
    )


def write(path: Path, lines: Iterable[KeptLine], positions: Positions) -> None:
    """Writes a chunk. After a crash, the file `path` is either complete or unchanged."""
    import zstandard

    block, compress = block_of(lines), zstandard.ZstdCompressor(level=3, write_checksum=True).compress
    about = compress(block.times.tobytes() + block.owners.tobytes() + block.streams)
    text = compress(block.text)
    head = {
        "origins": block.origins,
        "positions": {container: plain(position) for container, position in positions.items()},
        "lines": len(block.times), "first": min(block.times, default=0), "last": max(block.times, default=0),
        "sizes": [len(about), len(text)],
    }  # fmt: skip
    header = json.dumps(head, separators=(",", ":")).encode()
    fresh = path.with_suffix(".new")
    with open(fresh, "wb", opener=opener) as file:
        file.writelines((_MAGIC, len(header).to_bytes(4, "big"), header, about, text))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def head_of(path: Path) -> ChunkHead | None:
    """Returns the head of a chunk; None if the file is damaged. Raises FileNotFoundError if it does not exist."""
    with path.open("rb") as file:
        data = file.read(_FIRST)
        size = int.from_bytes(data[8:12], "big")
        if data[:8] == _MAGIC and len(data) < 12 + size:
            data += file.read(12 + size - len(data))
    try:
        return _head(data, size)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        log.warning("%s has no valid head of a log file, and is ignored: %r", path, error)
        return None


def _head(data: bytes, size: int) -> ChunkHead:
    found: dict[str, Any] = json.loads(data[12 : 12 + size])
    return ChunkHead(
        tuple(LogOrigin(*each) for each in found["origins"]),
        {container: position_of(position) for container, position in found["positions"].items()},
        found["lines"], found["first"], found["last"],
        (12 + size, found["sizes"][0], found["sizes"][1]),
    )  # fmt: skip


class Chunk:
    """A sealed chunk whose lines can be read."""

    def __init__(self, path: Path, head: ChunkHead) -> None:
        self._head = head
        self._path = path
        self._file = path.open("rb")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def block(self) -> Block | None:
        """Returns the chunk's lines; None if they are damaged."""
        import zstandard

        start, about, text = self._head.sizes
        self._file.seek(start)
        try:
            data = zstandard.ZstdDecompressor().decompress(self._file.read(about))
            lines = zstandard.ZstdDecompressor().decompress(self._file.read(text))
        except zstandard.ZstdError as error:
            log.warning("%s is damaged, and its lines are ignored: %s", self._path, error)
            return None
        times, owners, n = array("q"), array("H"), self._head.lines
        times.frombytes(data[: 8 * n])
        owners.frombytes(data[8 * n : 10 * n])
        return Block(self._head.origins, times, owners, data[10 * n :], lines)
