"""Reads the output of a run while it grows, from files that keep only the beginning and the end of each stream."""

from __future__ import annotations

from norn_tasks.adapters.docker.frames import STDERR as ERR
from norn_tasks.adapters.docker.frames import STDOUT as OUT
from norn_tasks.adapters.incus.files import STDERR, STDOUT, Files, Progress
from norn_tasks.adapters.incus.hardening import KEPT_TAIL
from norn_tasks.adapters.runtimes.streams import Outputs

_CHUNK = 1024 * 1024
_NUMBERS = {STDOUT: OUT, STDERR: ERR}


class OutputReading:
    """Reads the streams of one run from their first bytes; the first `head` bytes of a stream are never dropped."""

    def __init__(self, files: Files, outputs: Outputs, head: int) -> None:
        self._files, self._outputs, self._head = files, outputs, head
        self._at = {STDOUT: 0, STDERR: 0}
        self._doubtful: dict[str, bytes] = {}

    def take(self, progress: Progress) -> bool:
        """Reads new output; returns True if there is more to read.

        The file may drop a part of a fast stream while that part is being read. So a part that was read is used only
        when the next progress shows that the file still had it. After the end of the run nothing is written, so the
        last part is used immediately.
        """
        moved = [self._advance(name, progress.sizes[name], ended=progress.end is not None) for name in self._at]
        return any(moved)

    def _advance(self, name: str, size: int, *, ended: bool) -> bool:
        kept_from = max(0, size - KEPT_TAIL)
        piece = self._doubtful.pop(name, b"")
        if piece:
            self._settle(name, piece, kept_from)
        at = self._at[name]
        if at >= size:
            return bool(piece)
        if self._head <= at < kept_from:
            self._skip(name, kept_from - at)
            at = self._at[name]
        end = min(size, at + _CHUNK, *([self._head] if at < self._head < size else []))
        piece = self._files.read(name, at, end)
        if ended or at < self._head or size < self._head + KEPT_TAIL // 2:
            self._feed(name, piece)
        else:
            self._doubtful[name] = piece
        return True

    def _settle(self, name: str, piece: bytes, kept_from: int) -> None:
        lost = min(len(piece), max(0, kept_from - self._at[name]))
        if lost:
            self._skip(name, lost)
        self._feed(name, piece[lost:])

    def _feed(self, name: str, piece: bytes) -> None:
        self._at[name] += len(piece)
        if piece:
            self._outputs.feed(_NUMBERS[name], piece)

    def _skip(self, name: str, count: int) -> None:
        self._at[name] += count
        self._outputs.skip(_NUMBERS[name], count)
