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

    run: Id = Field(examples=[44])
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


# Programs in a live replica

Side = Annotated[int, Field(ge=1, le=2000)]


class ExecAsked(Asked):
    """What to run in a replica that serves."""

    command: CommandText | Argv = Field(examples=[["sh"]])
    """A list is executed as it is, text by `sh -c`."""
    replica: int | None = Field(None, ge=1, le=2**31 - 1)
    """The number of a replica; any when left out."""
    tty: bool = False
    """It gets a terminal, and stdout and stderr are one."""
    term: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9._+-]*$", examples=["xterm-256color"])
    """The kind of that terminal."""
    size: tuple[Side, Side] | None = Field(None, strict=False)
    """Rows and columns of that terminal."""


class TypedAsked(Asked):
    """What somebody typed."""

    seq: int = Field(1, ge=1, le=2**53)
    """Counts up from 1: a piece that comes twice is taken once."""
    data: LongText = Field("", max_length=131_072)
    """Bytes, base64."""
    eof: bool = False
    """Nothing more comes."""
    size: tuple[Side, Side] | None = Field(None, strict=False)
    """Rows and columns of the terminal, when they changed."""
