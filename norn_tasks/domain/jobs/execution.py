"""The execution: one container of a cron run, a one-off, a function call or a test, and the verdict on its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

RUN_MEMORY = 512 * 2**20
RUN_CPUS = 1.0
"""The bytes of memory and the cores of a cron run, a one-off or a test whose spec says nothing about `resources`."""


class ExecutionState(StrEnum):
    """The state of an execution."""

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
        """True if the state can no longer change."""
        return self not in OPEN_RUN


OPEN_RUN = (ExecutionState.PENDING, ExecutionState.RUNNING)
"""The states of an execution that has not ended; the same rule in SQL is `store.rules.lists.OPEN_RUN_STATES`."""


@dataclass(frozen=True)
class Captured:
    """The part of an output stream that Norn keeps."""

    head: bytes = b""
    """Its first bytes."""
    tail: bytes = b""
    """Its last bytes."""
    dropped: int = 0
    """The number of bytes between them that were dropped."""

    @property
    def size(self) -> int:
        """The number of bytes that the stream had."""
        return len(self.head) + len(self.tail) + self.dropped

    def text(self) -> str:
        """Returns the stream for people: invalid UTF-8 is replaced, and a line says how much was dropped."""
        gap = f"\n… {self.dropped} bytes dropped …\n".encode() if self.dropped else b""
        return (self.head + gap + self.tail).decode("utf-8", "replace")


@dataclass(frozen=True)
class ContainerExit:
    """The end of a container, as the engine reports it."""

    exit_code: int | None
    """Its exit code; None when it has no exit code."""
    oom_killed: bool = False
    """True if it was killed because it used more than its memory."""
    timed_out: bool = False
    """True if it was stopped because its time was over."""
    too_large: bool = False
    """True if it was stopped because it wrote more than its limit."""
    interrupted: bool = False
    """True if it ended because the engine was stopped."""
    never_started: bool = False
    """True if it no longer exists, and the engine confirms that its code was never started."""
    stdout: Captured = field(default_factory=Captured)
    """Its standard output."""
    stderr: Captured = field(default_factory=Captured)
    """Its standard error."""
    started_at: datetime | None = None
    """When the container started, by the engine's clock."""
    finished_at: datetime | None = None
    """When the container ended, by the engine's clock."""
    place: str = ""
    """The part of the engine in which the container ran, such as the nest (in which crun starts runs); empty for an
    ordinary container.
    """


@dataclass(frozen=True)
class ExecutionVerdict:
    """The verdict on the end of an execution."""

    state: ExecutionState
    """The state in which the execution ends."""
    ended: ContainerExit
    """The end of its container."""
    cause: str = ""
    """The code of a bad end, which is the same in every version of Norn; empty for a good end."""
    sentence: str = ""
    """A sentence about a bad end."""
    hint: str = ""
    """A hint about a bad end."""


@dataclass(frozen=True)
class Fields:
    """The names of a run's settings, for hints about a run that reached a limit or could not begin."""

    timeout: str = "timeout in its infraspec.yaml"
    """The setting for its longest duration."""
    memory: str = "resources.memory"
    """The setting of its memory."""
    command: str = "command in infraspec.yaml and CMD in the Dockerfile"
    """The setting of its command."""


_KILLED = 137
"""The exit code of a process that was killed with SIGKILL (128 + 9)."""
OF_A_RUN = Fields()
OF_A_CALL = Fields("function.timeout in its infraspec.yaml", "function.memory")
OF_A_COMMAND = Fields("the limit with --timeout", command="what was typed after --, and what is in the image")


def judge(
    ended: ContainerExit, *, timeout: float, memory: int, output: int | None = None, fields: Fields = OF_A_RUN
) -> ExecutionVerdict:
    """Returns the verdict on an end. The limits were `timeout` seconds, and `memory` and `output` bytes.

    Exit code 125 means that the infrastructure failed. 126 and 127 mean that the command could not be executed or was
    not found (POSIX 2.8.2).
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
        return _bad(ended, ExecutionState.ERROR, "engine_restarted", "the engine was stopped while it ran",
                    "run it again if that is safe; retries.max in its infraspec.yaml does that")  # fmt: skip
    if ended.exit_code == 0:
        return ExecutionVerdict(ExecutionState.SUCCEEDED, ended)
    return _by_exit_code(ended, memory, fields)


def bad_response(ended: ContainerExit, sentence: str, hint: str) -> ExecutionVerdict:
    """Returns the verdict on a call whose output does not have the form that its infraspec promises."""
    return _bad(ended, ExecutionState.FAILED, "bad_response", sentence, hint)


def _by_exit_code(ended: ContainerExit, memory: int, fields: Fields) -> ExecutionVerdict:
    code = ended.exit_code
    if code is None or code == 125:
        return _bad(ended, ExecutionState.ERROR, "infrastructure", "the engine could not run it", "norn health")
    if code in (126, 127):
        what = "cannot be executed" if code == 126 else "was not found in the image"
        return _bad(ended, ExecutionState.FAILED, "not_runnable", f"its command {what} (exit {code})",
                    f"check {fields.command}")  # fmt: skip
    if code == _KILLED:
        # When all processes of a container disappear at the same time, the engine may not learn that the kernel was out
        # of memory.
        hint = f"if {memory // 2**20} MiB of memory were not enough, raise {fields.memory} in its infraspec.yaml"
        return _bad(ended, ExecutionState.FAILED, "signalled", "it was ended by signal 9 (SIGKILL)", hint)
    if code > 128:
        return _bad(ended, ExecutionState.FAILED, "signalled", f"it was ended by signal {code - 128}", "")
    return _bad(ended, ExecutionState.FAILED, "exit", f"it exited {code}", "")


def _bad(ended: ContainerExit, state: ExecutionState, cause: str, sentence: str, hint: str) -> ExecutionVerdict:
    return ExecutionVerdict(state, ended, cause, sentence, hint)
