"""Reads an app's stored lines: first the lines that a question asks for, and then new lines."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from norn_tasks.adapters.kept_logs.app_files import CHUNK, OPEN, numbers
from norn_tasks.adapters.kept_logs.chunks import Chunk, ChunkHead, block_of, head_of
from norn_tasks.adapters.kept_logs.records import decoded
from norn_tasks.adapters.kept_logs.search import Finder, chosen, finder
from norn_tasks.domain.app_logs.lines import DROPPED, NOTE, KeptLine, LogOrigin, LogQuestion, TakeLines
from norn_tasks.ports import Stop

_LOOK = 0.1
"""Seconds between two checks for new lines."""
_AT_ONCE = 2
"""The number of chunks that are searched at the same time."""


class LogReading:
    """Reads the directory of an app; `follow` passes on the lines that were written after `lines` was called."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: BinaryIO | None = None
        self._number = 0
        self._rest = b""

    def origins(self) -> set[LogOrigin]:
        """Returns the containers whose lines are stored."""
        fresh = {line.origin for line in self._open_lines()}
        return fresh | {origin for _, head in self._heads() for origin in head.origins}

    def lines(self, question: LogQuestion, stop: Stop | None = None) -> list[KeptLine]:
        """Returns the lines that the question asks for, in order of time.

        Raises InvalidRequest for an invalid expression, and Stopped if the stop is set between two files.
        """
        find = finder(question.grep)
        lines = self._open_lines()
        if not question.tail:
            return []
        fresh = block_of(line for line in lines if question.covers(line.origin))
        found = self._with_older(find, question, chosen(fresh, find, question), stop)
        return sorted(found, key=lambda line: line.at)

    def follow(self, question: LogQuestion, take: TakeLines, stop: Stop) -> None:
        """Passes on new lines until the stop is set."""
        find, every = finder(question.grep), replace(question, tail=0, until=None)
        while stop.reason is None:
            lines = [line for line in self._fresh() if question.covers(line.origin)]
            block = block_of(lines)
            fit = chosen(block, find, every) if lines else []
            if fit:
                take(fit)
            elif not lines:
                stop.wait(_LOOK)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # Lines that are already stored

    def _with_older(
        self, find: Finder, question: LogQuestion, found: list[KeptLine], stop: Stop | None
    ) -> list[KeptLine]:
        """Returns the newest of the lines in `found` and of the matching lines in the chunks. Searches the newest chunk
        first, and stops when older chunks can add nothing.
        """
        waiting = self._candidates(question)
        running: list[tuple[ChunkHead, Future[list[KeptLine]]]] = []
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="norn-log-search") as pool:
            while waiting or running:
                if stop is not None:
                    stop.check()
                while waiting and len(running) < _AT_ONCE:
                    number, head = waiting.pop(0)
                    running.append((head, pool.submit(self._in_chunk, number, head, find, question)))
                head, searched = running.pop(0)
                if len(found) >= question.tail and min(line.at for line in found) > head.last:
                    break
                found = heapq.nlargest(question.tail, [*searched.result(), *found], key=lambda line: line.at)
        return found

    def _candidates(self, question: LogQuestion) -> list[tuple[int, ChunkHead]]:
        """Returns the chunks that may have lines for the question, sorted by their last lines, the newest first."""
        fit = [
            (number, head)
            for number, head in self._heads()
            if head.lines
            and any(map(question.covers, head.origins))
            and (question.since is None or head.last >= question.since)
            and (question.until is None or head.first < question.until)
        ]
        return sorted(fit, key=lambda each: -each[1].last)

    def _heads(self) -> Iterator[tuple[int, ChunkHead]]:
        for number in numbers(self._directory, CHUNK):
            with suppress(FileNotFoundError):
                head = head_of(self._path(number, CHUNK))
                if head is not None and number < self._number:
                    yield number, head

    def _in_chunk(self, number: int, head: ChunkHead, find: Finder, question: LogQuestion) -> list[KeptLine]:
        try:
            chunk = Chunk(self._path(number, CHUNK), head)
        except FileNotFoundError:
            return []  # the file was just deleted
        try:
            block = chunk.block()
            return chosen(block, find, question) if block is not None else []
        finally:
            chunk.close()

    # New lines

    def _open_lines(self) -> list[KeptLine]:
        """Returns the lines of the open file; `follow` reads the lines that are appended later."""
        self.close()
        while True:
            sealed = numbers(self._directory, CHUNK)
            self._number, self._rest = (sealed[-1] if sealed else 0) + 1, b""
            lines = self._appended()
            if self._file is not None or not self._path(self._number, CHUNK).exists():
                return lines

    def _fresh(self) -> list[KeptLine]:
        """Returns lines that were appended since the last call; continues with the next file when this one was
        sealed.
        """
        lines = self._appended()
        if lines:
            return lines
        if not self._path(self._number, CHUNK).exists():
            return self._after_a_gap() if self._file is None else []
        lines = self._appended()
        if self._file is None:
            lines = self._sealed(self._number)
        self.close()
        self._number, self._rest = self._number + 1, b""
        return lines

    def _appended(self) -> list[KeptLine]:
        if self._file is None:
            try:
                self._file = self._path(self._number, OPEN).open("rb")
            except FileNotFoundError:
                return []
        self._rest += self._file.read()
        lines: list[KeptLine] = []
        end = 0
        for record, after in decoded(self._rest):
            lines.extend(record.lines())
            end = after
        self._rest = self._rest[end:]
        return lines

    def _after_a_gap(self) -> list[KeptLine]:
        """Continues with the oldest file, and returns a note line, if the next file was already deleted because this
        reader is too slow. Otherwise returns no lines.
        """
        later = [number for number in numbers(self._directory, CHUNK) if number > self._number]
        with suppress(FileNotFoundError):
            head = head_of(self._path(later[0], CHUNK)) if later else None
            if head is not None and head.origins:
                self._number = later[0]
                return [KeptLine(head.first, NOTE, DROPPED.encode(), head.origins[0])]
        return []

    def _sealed(self, number: int) -> list[KeptLine]:
        """Returns the lines of a file that was sealed before this reader could open it."""
        question = LogQuestion(tail=0)
        with suppress(FileNotFoundError):
            head = head_of(self._path(number, CHUNK))
            if head is not None:
                return self._in_chunk(number, head, finder(""), question)
        return []

    def _path(self, number: int, suffix: str) -> Path:
        return self._directory / f"{number:08d}{suffix}"
