"""The interface of every measured scheduler, and the measurement that is the same for all."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Protocol

from tests.benchmarks.cron.figures import Counted, Figures, Runs

MINUTE = 60
EDITS = 5
EDIT_AT, EDIT_EVERY = 20, 6
LAST_WORD = 3
"""How many seconds before the end of the last measured minute the scheduler is stopped."""


class Subject(Protocol):
    """A scheduler with its own stores. `edit_by` names what an edit requires if saving the schedule is not enough."""

    name: str
    version: str
    edit_by: str
    edits_live: bool

    def prepare(self, count: int, every: int) -> None:
        """Writes `count` schedules that are due every `every` seconds, and EDITS schedules that are due once a year."""

    def start(self) -> None:
        """Starts the scheduler."""

    def cpu(self) -> float:
        """Returns the CPU seconds that the scheduler has used until now."""

    def edit(self, n: int, patience: float) -> float | None:
        """Lets the n-th of the yearly schedules run every second; returns the seconds until its first occurrence, None
        if there is none within `patience` seconds.
        """

    def stop(self) -> None:
        """Stops the scheduler, and waits until the runs that it started have ended."""

    def count(self, first: int, minutes: int) -> Counted:
        """Returns the results for the occurrences in `minutes` minutes from the time `first` on."""

    def runs(self, first: int, minutes: int) -> Runs | None:
        """Returns the results of the runs; None if the scheduler starts none."""

    def close(self) -> None:
        """Ends all processes."""


def measure(subject: Subject, schedules: int, minutes: int, every: int) -> Figures:
    """Measures `minutes` whole minutes: the CPU time counts from a second before the first one begins to LAST_WORD
    seconds before the last one ends. Returns the results.
    """
    subject.prepare(schedules, every)
    first = math.ceil((time.time() + _lead(schedules)) / MINUTE) * MINUTE
    _until(first - _lead(schedules))
    subject.start()
    _until(first - 1)
    before = subject.cpu()
    edits = list(_edits(subject, first, minutes)) if subject.edits_live else []
    _until(first + minutes * MINUTE - LAST_WORD)
    cpu = subject.cpu() - before
    subject.stop()
    if not subject.edits_live:
        edits = [took for took in [subject.edit(0, patience=120)] if took is not None]
    return Figures(
        scheduler=subject.name, version=subject.version, schedules=schedules, minutes=minutes,
        every=every,
        counted=subject.count(first, minutes), cpu=cpu, edits=edits, edit_by=subject.edit_by,
        runs=subject.runs(first, minutes),
    )  # fmt: skip


def _lead(schedules: int) -> float:
    """Returns the seconds that a scheduler gets to read its schedules before the first measured minute."""
    return 20 + schedules / 1000


def _edits(subject: Subject, first: int, minutes: int) -> Iterator[float]:
    """Edits schedules one after the other, from EDIT_AT seconds after the first measured minute began; yields the
    seconds until each edit had an effect. An edit that has no effect before the end is left out.
    """
    end = first + minutes * MINUTE - LAST_WORD - 1
    for n in range(EDITS):
        _until(first + EDIT_AT + n * EDIT_EVERY)
        left = end - time.time()
        took = subject.edit(n, left) if left > 2 else None
        if took is not None:
            yield took


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
