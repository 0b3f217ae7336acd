"""The execution: one container of a cron run, a function call, a test; and how its end is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ExecutionState(StrEnum):
    """Where a run is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    OOM_KILLED = "oom_killed"
    CANCELLED = "cancelled"
    ERROR = "error"

    @property
    def terminal(self) -> bool:
        """True when nothing more will happen to it."""
        return self not in (ExecutionState.PENDING, ExecutionState.RUNNING)


@dataclass(frozen=True)
class Captured:
    """One bounded stream: its first bytes, its last bytes, and how many between them were dropped."""

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0

    @property
    def size(self) -> int:
        """How many bytes the stream had."""
        return len(self.head) + len(self.tail) + self.dropped

    def text(self) -> str:
        """Answers the stream for people: invalid UTF-8 replaced, what was dropped told."""
        gap = f"\n… {self.dropped} bytes dropped …\n".encode() if self.dropped else b""
        return (self.head + gap + self.tail).decode("utf-8", "replace")


@dataclass(frozen=True)
class Ended:
    """How a container ended, as the engine tells it. `too_large`: it was ended because it wrote over its limit;
    `interrupted`: it was ended because the engine went away under it; `never_started`: it is gone, and the engine
    vouches that its code was not let go.
    """

    exit_code: int | None
    oom_killed: bool = False
    timed_out: bool = False
    too_large: bool = False
    interrupted: bool = False
    never_started: bool = False
    stdout: Captured = field(default_factory=Captured)
    stderr: Captured = field(default_factory=Captured)
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class Finished:
    """The judgement of an end: state, and for a bad one its cause (a stable word), sentence and way out."""

    state: ExecutionState
    ended: Ended
    cause: str = ""
    sentence: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Fields:
    """What says how much a run may take, its command among it: the way out when it took more, or could not begin."""

    timeout: str = "timeout in its infraspec.yaml"
    memory: str = "resources.memory"
    command: str = "command in infraspec.yaml and CMD in the Dockerfile"


_KILLED = 137
OF_A_RUN = Fields()
OF_A_CALL = Fields("function.timeout in its infraspec.yaml", "function.memory")
OF_A_COMMAND = Fields("the limit with --timeout", command="what was typed after --, and what is in the image")


def judge(
    ended: Ended, *, timeout: float, memory: int, output: int | None = None, fields: Fields = OF_A_RUN
) -> Finished:
    """Says what an end means. `timeout` in seconds, `memory` and `output` in bytes are the limits it ran under.

    125 is our infrastructure's, 126 and 127 are the shell's words for "not runnable" (POSIX 2.8.2).
    """
    if ended.too_large:
        what = f"it wrote more than its {output} bytes of output"
        return _bad(ended, ExecutionState.FAILED, "output_too_large", what,
                    "raise function.maxOutput in its infraspec.yaml, or write less")  # fmt: skip
    if ended.timed_out:
        return _bad(ended, ExecutionState.TIMED_OUT, "timed_out", f"it did not end within {timeout:g} s",
                    f"raise {fields.timeout}, or make it quicker")  # fmt: skip
    if ended.oom_killed:
        what = f"it used more than its {memory // 2**20} MiB of memory"
        return _bad(ended, ExecutionState.OOM_KILLED, "oom_killed", what,
                    f"raise {fields.memory} in its infraspec.yaml")  # fmt: skip
    if ended.interrupted:
        return _bad(ended, ExecutionState.ERROR, "engine_restarted", "the engine was stopped under it, and ended it",
                    "run it again if that is safe; retries.max in its infraspec.yaml does that")  # fmt: skip
    if ended.exit_code == 0:
        return Finished(ExecutionState.SUCCEEDED, ended)
    return _by_exit_code(ended, memory, fields)


def _by_exit_code(ended: Ended, memory: int, fields: Fields) -> Finished:
    code = ended.exit_code
    if code is None or code == 125:
        return _bad(ended, ExecutionState.ERROR, "infrastructure", "the engine could not run it", "norn health")
    if code in (126, 127):
        what = "cannot be executed" if code == 126 else "was not found in the image"
        return _bad(ended, ExecutionState.FAILED, "not_runnable", f"its command {what} (exit {code})",
                    f"check {fields.command}")  # fmt: skip
    if code == _KILLED:
        # An engine that sees all of a container vanish at once may not learn that the kernel did it, out of memory.
        hint = f"if {memory // 2**20} MiB of memory were not enough, raise {fields.memory} in its infraspec.yaml"
        return _bad(ended, ExecutionState.FAILED, "signalled", "it was ended by signal 9 (SIGKILL)", hint)
    if code > 128:
        return _bad(ended, ExecutionState.FAILED, "signalled", f"it was ended by signal {code - 128}", "")
    return _bad(ended, ExecutionState.FAILED, "exit", f"it exited {code}", "")


def _bad(ended: Ended, state: ExecutionState, cause: str, sentence: str, hint: str) -> Finished:
    return Finished(state, ended, cause, sentence, hint)
