"""Enumerations of the domain as lists in SQL, for the right side of `IN`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from norn_tasks.domain.infraspec import LONG_RUNNING
from norn_tasks.domain.jobs.execution import OPEN_RUN
from norn_tasks.domain.jobs.job import OPEN, JobClass


def _listed(words: Iterable[StrEnum]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


LONG_RUNNING_ROLES = _listed(LONG_RUNNING)
CODE_CLASSES = _listed(job_class for job_class in JobClass if job_class.runs_code)
"""The classes whose jobs run an app's code to its end, each in a slot of the app."""
OPEN_STATES = _listed(OPEN)
"""The states of a job that has not ended."""
OPEN_RUN_STATES = _listed(OPEN_RUN)
"""The states of a run that has not ended."""
