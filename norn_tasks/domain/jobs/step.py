"""The step, a small idempotent part of a pipeline: its states, and the result that it may return."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from norn_tasks.domain.jobs.facts import Fact
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.writes import Write
from norn_tasks.domain.secret import Sealed

MIGRATE_DATABASE = "migrate-database"
"""The step that runs an app's database migration."""


class Resume(StrEnum):
    """The rule for a step that had begun or ended when its job was interrupted and resumed."""

    REDO = "redo"
    """The step runs again even if it had ended, because its results exist only on the machine that ran it."""
    KEEP = "keep"
    """A step that had ended does not run again; a step that had begun but not ended runs again."""
    NEVER = "never"
    """A step that had begun but not ended does not run again: the job needs a person's attention."""


class Resolution(StrEnum):
    """A person's decision about a step that may have been interrupted and must not be repeated."""

    DONE = "done"
    """The step did its work, and the job continues with the next step."""
    RETRY = "retry"
    """The step may run again, and the job continues with this step."""
    ABANDON = "abandon"
    """The job ends."""


class StepState(StrEnum):
    """The state of a step. `noted` is the state of a step that failed without consequences for its job."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOTED = "noted"

    @property
    def done(self) -> bool:
        """True if a resumed job skips the step."""
        return self in (StepState.SUCCEEDED, StepState.SKIPPED, StepState.NOTED)


@dataclass(frozen=True)
class Learned:
    """The result of a step. The ledger writes it in the fenced transaction that ends the step."""

    facts: tuple[Fact, ...] = ()
    """Facts for later steps."""
    writes: tuple[Write, ...] = ()
    """Changes in Norn's own tables."""
    note: str = ""
    """A note for people."""
    skipped: bool = False
    """True if there was nothing to do; the note says why."""
    sealed: tuple[Sealed, ...] | None = None
    """The app's secrets as they are now, if the step has changed them."""
    failed: Problem | None = None
    """Set if the step did its work and found that the job has failed, for example because a run exited with 1."""


@dataclass(frozen=True)
class StepPosition:
    """The position of a step in its job."""

    n: int
    """Its number in the pipeline, from 1."""
    name: str
    """Its name."""


@dataclass(frozen=True)
class StepEnd:
    """The end of a step."""

    state: StepState
    """The state in which it ended."""
    learned: Learned = field(default_factory=Learned)
    """Its result."""
    problem: Problem | None = None
    """The reason for a bad end."""
    ends: JobState | None = None
    """The state in which the job ends together with this step; None when the job goes on."""
