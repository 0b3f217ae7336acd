"""Waits for processes that were just started, and reports a failing one with its last lines."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.supervision.supervisor import Process

STARTS = 2
"""The number of starts after which a process is considered failing."""

LINES = 15
"""The number of log lines of a failed process that are shown."""


class ProcessStates(Protocol):
    """An object that returns the states of processes, such as `Control`, the client of the supervisor's control
    socket.
    """

    def processes(self) -> tuple[Process, ...]:
        """Returns all processes."""


class ProcessWatch:
    """One wait for the processes of a control socket."""

    def __init__(self, where: DataPaths, control: ProcessStates) -> None:
        self._where = where
        self._control = control
        self._starts: dict[str, set[int]] = defaultdict(set)

    def until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Returns when `done()` is true; raises NotStarted if a process keeps dying, or after `seconds`."""
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
            if process.name.startswith("services-"):
                continue  # Norn itself works without the servers for apps; norn doctor reports their faults
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
    """Returns the last lines of a log; an empty list if the log does not exist."""
    try:
        with log.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except FileNotFoundError:
        return []
