"""The step: a small idempotent piece of a pipeline, what it may return, and the words for how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from norn_tasks.domain.job import JobState, Problem
from norn_tasks.domain.writes import Write


class Resume(StrEnum):
    """What a resumed job does with a step that had begun and not ended."""

    REDO = "redo"
    """It runs again even when it was done: what it made lives on this machine only."""
    KEEP = "keep"
    """Done stays done; begun and not ended runs again."""
    NEVER = "never"
    """Begun and not ended is not repeated: the job needs a person's attention."""


class StepState(StrEnum):
    """How a step stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOTED = "noted"

    @property
    def done(self) -> bool:
        """True when a resumed job passes over it."""
        return self in (StepState.SUCCEEDED, StepState.SKIPPED, StepState.NOTED)


@dataclass(frozen=True)
class Learned:
    """What a step returns: facts for the steps after it, writes to our own tables, a note for people.

    The runner hands all of it to the ledger, which writes it in the one fenced transaction that ends the step.
    `skipped`: there was nothing to do, and the note says why.
    `failed`: the step did its work and learned that the job has failed, as a run that exits 1 does.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    writes: tuple[Write, ...] = ()
    note: str = ""
    skipped: bool = False
    failed: Problem | None = None


@dataclass(frozen=True)
class StepPlace:
    """Which step of a job: its number in the pipeline and its name."""

    n: int
    name: str


@dataclass(frozen=True)
class StepEnd:
    """How a step ended; `ends` ends the job with it."""

    state: StepState
    learned: Learned = field(default_factory=Learned)
    problem: Problem | None = None
    ends: JobState | None = None
