"""Writes the log of a step into rows, at least twice per second; of a long log it keeps only the beginning and
the end.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import step_logs

log = structlog.get_logger()
HEAD, TAIL = 64 * 1024, 192 * 1024
FLUSH_SECONDS = 0.5
CHUNK = 16 * 1024

Word = tuple[str, str]
"""The stream and the text of a piece of output."""


class StepOutput:
    """Opens step logs (runner.Output)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def __call__(self, fence: Fence, step: str) -> Iterator[BufferedSink]:
        """Yields a function for the step's output; the remaining output is written when the block ends."""
        sink = BufferedSink(self._database, fence, step)
        try:
            yield sink
        finally:
            sink.close()


class BufferedSink:
    """One step's output: calling it takes text of stdout. Its thread starts with the first text."""

    def __init__(self, database: Database, fence: Fence, step: str) -> None:
        self._database, self._fence, self._step = database, fence, step
        self._lock = threading.Lock()
        self._words: deque[Word] = deque()
        self._waiting = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._seq = 0
        self._head = 0
        self._tail: deque[tuple[int, int]] = deque()
        self._tail_size = 0
        self._lost = 0

    def __call__(self, text: str) -> None:
        """Takes text. If too much text is waiting, its beginning is dropped, and a line reports that."""
        self._take("stdout", text)

    def err(self, text: str) -> None:
        """Takes text of stderr, from a step that keeps stdout and stderr apart."""
        self._take("stderr", text)

    def _take(self, stream: str, text: str) -> None:
        if not text:
            return
        text = text.replace("\0", "\ufffd")  # PostgreSQL cannot store NUL
        with self._lock:
            self._words.append((stream, text))
            self._waiting += len(text)
            while self._waiting > 2 * TAIL and len(self._words) > 1:
                gone = len(self._words.popleft()[1])
                self._waiting -= gone
                self._lost += gone
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_often, name="norn-step-log", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Writes the remaining text, and ends the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(10)

    def _flush_often(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        words = self._taken()
        if not words:
            return
        try:
            self._write(words)
        except DatabaseDown:
            with self._lock:
                self._words.extendleft(reversed(words))
                self._waiting += sum(len(text) for _, text in words)
        except Exception:
            # Without this thread, the rest of the output would be lost too.
            log.exception("a part of a step's output cannot be kept", job=self._fence.job, step=self._step)
            with self._lock:
                self._lost += sum(len(text) for _, text in words)

    def _taken(self) -> list[Word]:
        """Returns the waiting text in order, with neighbouring pieces of the same stream joined."""
        with self._lock:
            words = list(self._words)
            if self._lost:
                words.insert(0, (words[0][0] if words else "stdout", f"… {self._lost} characters dropped …\n"))
            self._words.clear()
            self._waiting, self._lost = 0, 0
        return [(stream, "".join(t for _, t in part)) for stream, part in groupby(words, key=lambda word: word[0])]

    def _write(self, words: list[Word]) -> None:
        with self._database.transaction() as tx:
            if self._seq == 0:
                self._seq = step_logs.last_seq(tx, self._fence.job, self._step)
            for stream, text in words:
                for start in range(0, len(text), CHUNK):
                    chunk = text[start : start + CHUNK]
                    self._seq += 1
                    step_logs.append(tx, self._fence, self._step, self._seq, chunk, stream)
                    self._count(self._seq, len(chunk))
            gone = self._overflow()
            if gone:
                step_logs.drop(tx, self._fence.job, self._step, gone[0], gone[-1])

    def _count(self, seq: int, size: int) -> None:
        if self._head < HEAD:
            self._head += size
        else:
            self._tail.append((seq, size))
            self._tail_size += size

    def _overflow(self) -> list[int]:
        gone = []
        while self._tail_size > TAIL:
            seq, size = self._tail.popleft()
            self._tail_size -= size
            gone.append(seq)
        return gone
