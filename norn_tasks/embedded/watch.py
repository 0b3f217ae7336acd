"""Waiting for processes that were just started, and telling which of them fails and what it said last."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.places import Places
from norn_tasks.embedded.supervisor import Process

STARTS = 2
"""A process that was started more often than this while we wait will not come up."""

LINES = 15
"""How much of a failed process's log is shown."""


class Told(Protocol):
    """Who tells how the processes are: the supervisor's control socket."""

    def processes(self) -> tuple[Process, ...]:
        """Answers all processes."""


class Watch:
    """One wait for the processes of a control socket."""

    def __init__(self, where: Places, control: Told) -> None:
        self._where = where
        self._control = control
        self._starts: dict[str, set[int]] = defaultdict(set)

    def until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Returns when `done()`; raises NotStarted when a process keeps dying, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while not done():
            processes = self._control.processes()
            dying = self._dying(processes)
            if dying:
                raise self._failure(dying, f"{dying} ends as soon as it is started")
            if time.monotonic() > deadline:
                suspect = next((process.name for process in processes if not process.up), what)
                raise self._failure(suspect, f"{what} does not answer after {seconds:.0f} s")
            time.sleep(0.1)

    def _dying(self, processes: Sequence[Process]) -> str:
        for process in processes:
            if process.began:
                self._starts[process.name].add(process.began)
            if process.state == "FATAL" or len(self._starts[process.name]) > STARTS:
                return process.name
        return ""

    def _failure(self, name: str, sentence: str) -> NotStarted:
        log = self._where.log / f"{name}.log"
        said = tail(log, LINES)
        shown = "; its log ends:\n" + "\n".join(f"    {line}" for line in said) if said else ""
        return NotStarted(sentence + shown, hint=f"the whole log: {log}")


def tail(log: Path, lines: int) -> list[str]:
    """Answers the last lines of a log; none when there is no log."""
    try:
        with log.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except FileNotFoundError:
        return []
