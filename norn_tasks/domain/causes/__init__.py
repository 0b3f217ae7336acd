"""Finds the cause of a failure in its evidence: the last lines of a program, its exit code, its open ports.

Each rule looks for one cause and gives a hint. The first rule that matches decides, so specific rules come before
general ones. If no rule matches, the cause is the output line that a person would look for: the last error.
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
