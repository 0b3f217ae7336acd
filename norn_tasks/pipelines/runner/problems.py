"""The problem with which a job or a step ends, and the state that follows from it."""

from __future__ import annotations

import errno

from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepState

_ROOM = "free some room on the disk of its worker; norn doctor says where"
ERROR_CODES = (
    "worker_lost",
    "engine_down",
    "cluster_down",
    "release_gone",
    "infrastructure",
    "engine_restarted",
    "secrets_locked",
    "service_down",
)
"""The codes of problems that Norn or its machines have caused, and not the app; the job then ends in the state `error`.
"""


def state_after(problem: Problem) -> JobState:
    """Returns the state of a job that ends with this problem."""
    return JobState.ERROR if problem.code in ERROR_CODES else JobState.FAILED


def problem_of(job: Job, error: NornError) -> Problem:
    """Returns the problem with which the job ends. If the error has no hint, the hint says where the output of the
    steps is.
    """
    return Problem(error.code, error.sentence, error.hint or f"norn jobs logs {job.id} has the output")


def full_disk(error: Exception) -> Problem | None:
    """Returns the problem of a worker whose disk is full; None if the error has another cause."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Problem("disk_full", f"{error.filename}: {error.strerror}", _ROOM)
    return None


def defect(job: Job, error: Exception) -> Problem:
    """Returns the problem of a job that was ended by a bug in Norn."""
    hint = f"the log of the {job.kind.job_class} worker says where: norn logs --server"
    return Problem("internal", f"internal error (a bug in Norn): {error!r}", hint)


def judged(learned: Learned) -> StepEnd:
    """Returns the end of a step that returned this result."""
    if learned.failed is None:
        return StepEnd(StepState.SKIPPED if learned.skipped else StepState.SUCCEEDED, learned)
    return StepEnd(StepState.FAILED, learned, learned.failed, state_after(learned.failed))
