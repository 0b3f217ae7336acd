"""Models of one-off commands, and of programs in a replica."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from norn_api.schemas.common import Id, InPath, LongText, RequestModel, ResponseModel

Argv = Annotated[list[Annotated[LongText, Field(max_length=65_536)]], Field(min_length=1, max_length=1024)]
Term = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._+-]*$", examples=["xterm-256color"])]
Side = Annotated[int, Field(ge=1, le=2000)]
Size = tuple[Side, Side]
CommandText = Annotated[LongText, Field(min_length=1, max_length=65_536)]


def argv_of(command: str | list[str]) -> tuple[str, ...]:
    """Returns the arguments to execute: text is run by a shell, a list is executed as it is."""
    return ("sh", "-c", command) if isinstance(command, str) else tuple(command)


class OneOffPath(InPath):
    """A one-off's id in a path."""

    run: Id = Field(examples=[44])
    """Id of the run."""


class RunRequest(RequestModel):
    """The command to run."""

    command: CommandText | Argv = Field(examples=[["ls", "-l"]])
    """A list is executed as it is, text by `sh -c`."""
    timeout: int | None = Field(None, ge=1, le=2**31 - 1, examples=[600])
    """The timeout in seconds; the default is NORN_RUN_TIMEOUT."""
    attached: bool = False
    """True: the sender reads the command's output at `/api/execs/{job}/output` and sends input. The command is
    cancelled when nobody reads its output."""
    tty: bool = False
    """True: the command is attached and gets a terminal; its stdout and stderr are then one stream."""
    term: Term = ""
    """The kind of that terminal."""
    size: Size | None = Field(None, strict=False)
    """Rows and columns of that terminal."""


class OneOffResponse(ResponseModel):
    """A one-off command with its output (head and tail, with the number of bytes dropped in between)."""

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


class ExecRequest(RequestModel):
    """The program to run in a live replica."""

    command: CommandText | Argv = Field(examples=[["sh"]])
    """A list is executed as it is, text by `sh -c`."""
    replica: int | None = Field(None, ge=1, le=2**31 - 1)
    """The number of a replica; the default is any."""
    tty: bool = False
    """True: the program gets a terminal; its stdout and stderr are then one stream."""
    term: Term = ""
    """The kind of that terminal."""
    size: Size | None = Field(None, strict=False)
    """Rows and columns of that terminal."""


class TypedRequest(RequestModel):
    """Input of the user."""

    seq: int = Field(1, ge=1, le=2**53)
    """A counter from 1, so that a repeated chunk is used once."""
    data: LongText = Field("", max_length=131_072)
    """The bytes in base64."""
    eof: bool = False
    """True for the end of the input."""
    size: Size | None = Field(None, strict=False)
    """Rows and columns of the terminal, if they changed."""
