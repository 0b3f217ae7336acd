"""Requests of jobs that run code of an app: calls, cron runs, one-offs, and programs in a replica."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest
from norn_tasks.domain.schedule import RunTrigger


@dataclass(frozen=True)
class InvokeJobRequest(JobRequest):
    """Runs a function for one call. The row of the execution contains the call."""

    kind = JobKind.INVOKE

    stream: bool | None = None
    """True if the client reads standard output while the code runs; None if the client waits for the end."""


@dataclass(frozen=True)
class CronRunJobRequest(JobRequest):
    """Runs a cron app once."""

    kind = JobKind.CRON_RUN

    trigger: RunTrigger | None = None
    """The reason for the run: its schedule, a catch-up or a person."""


@dataclass(frozen=True)
class ClientTerminal:
    """The terminal of a client that is connected to a command; a client without a terminal has pipes."""

    tty: bool
    """The command gets a terminal."""
    term: str
    """The type of the client's terminal."""
    size: tuple[int, int] | None
    """Rows and columns of the client's terminal."""


@dataclass(frozen=True)
class RunJobRequest(JobRequest):
    """Runs a command once in the image of an app."""

    kind = JobKind.RUN

    command: tuple[str, ...]
    """The command and its arguments."""
    timeout: int
    """The seconds after which the command is stopped."""
    client: ClientTerminal | None = None
    """The terminal of the client that is connected to its input and output; None if no client is connected."""


@dataclass(frozen=True)
class ExecJobRequest(JobRequest):
    """Runs a program in a live replica for a client that is connected."""

    kind = JobKind.EXEC

    command: tuple[str, ...]
    """The program and its arguments."""
    replica: int | None
    """The number of the replica; None if the program may run in any replica."""
    tty: bool
    """The program gets a terminal."""
    term: str
    """The type of the client's terminal."""
    size: tuple[int, int] | None
    """Rows and columns of the client's terminal."""
