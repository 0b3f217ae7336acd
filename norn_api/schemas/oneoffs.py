"""Shapes of one-off commands, and of commands in a replica."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from norn_api.schemas.common import Answered, Asked, Id, InPath, LongText

Argv = Annotated[list[Annotated[LongText, Field(max_length=65_536)]], Field(min_length=1, max_length=1024)]
CommandText = Annotated[LongText, Field(min_length=1, max_length=65_536)]


def argv_of(command: str | list[str]) -> tuple[str, ...]:
    """Answers what is executed: text is a shell's, a list is taken as it is."""
    return ("sh", "-c", command) if isinstance(command, str) else tuple(command)


class OneOffPath(InPath):
    """A one-off's id in a path."""

    run: Id
    """Id of the run."""


class RunAsked(Asked):
    """What to run."""

    command: CommandText | Argv = Field(examples=[["ls", "-l"]])
    """A list is executed as it is, text by `sh -c`."""
    timeout: int | None = Field(None, ge=1, le=2**31 - 1, examples=[600])
    """Seconds after which it is ended; NORN_RUN_TIMEOUT when left out."""


class OneOffAnswer(Answered):
    """A one-off command: how it went and what it printed (head and tail, with the number of bytes dropped between)."""

    id: int = Field(examples=[42])
    app: str = Field(examples=["blog"])
    kind: str = "run"
    job: int
    command: list[str] = Field(examples=[["ls", "-l"]])
    timeout: int
    release: int | None
    state: str = Field(examples=["succeeded"])
    cause: str
    sentence: str
    hint: str
    exit_code: int | None
    attempt: int
    actor: str
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    stdout: str
    stdout_dropped: int
    stderr: str
    stderr_dropped: int
