"""Finds the cause of a failure in its evidence: the last lines of a program, its exit code, its open ports.

A rule looks for one cause and knows the hint that helps. The first rule that applies wins, so specific rules are
above general ones. If none applies, the cause is the line of the output that a person would look for: the last error.
"""

from norn_tasks.domain.causes.evidence import Cause, Evidence, OpenSocket, ProgramFile
from norn_tasks.domain.causes.finding import cause_of_answer, cause_of_build, cause_of_end, cause_of_silence
from norn_tasks.domain.causes.runs import of_a_call, with_cause

__all__ = [
    "Cause",
    "Evidence",
    "OpenSocket",
    "ProgramFile",
    "cause_of_answer",
    "cause_of_build",
    "cause_of_end",
    "cause_of_silence",
    "of_a_call",
    "with_cause",
]
