"""Executions: cron runs, function calls and one-offs, with their input and output."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class ExecutionColumns:
    """The columns that cron runs, calls and one-offs share; their ids come from one sequence, `executions`."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str]
    job_id: Mapped[int]
    release: Mapped[int | None]
    image_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="pending")
    cause: Mapped[str] = mapped_column(server_default="")
    sentence: Mapped[str] = mapped_column(server_default="")
    hint: Mapped[str] = mapped_column(server_default="")
    exit_code: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(server_default="1")
    actor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    begun_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None]


class CronExecutionRow(ExecutionColumns, Base):
    """A cron run, with the beginning and the end of each output stream, and the number of bytes that were dropped
    between them.
    """

    __tablename__ = "cron_executions"
    scheduled_for: Mapped[datetime | None]
    planned_at: Mapped[datetime | None]
    """The moment at which it should begin: its occurrence plus the jitter."""
    trigger: Mapped[str]
    stdout: Mapped[str] = mapped_column(server_default="")
    stdout_dropped: Mapped[int] = mapped_column(server_default="0")
    stderr: Mapped[str] = mapped_column(server_default="")
    stderr_dropped: Mapped[int] = mapped_column(server_default="0")


class OneOffRow(ExecutionColumns, Base):
    """A command that is run in an app's image. Its output has the form of a cron run's; `timeout` is in seconds."""

    __tablename__ = "oneoffs"
    command: Mapped[list[str]]
    timeout: Mapped[int]
    stdout: Mapped[str] = mapped_column(server_default="")
    stdout_dropped: Mapped[int] = mapped_column(server_default="0")
    stderr: Mapped[str] = mapped_column(server_default="")
    stderr_dropped: Mapped[int] = mapped_column(server_default="0")


class FunctionExecutionRow(ExecutionColumns, Base):
    """A function call; its bytes are in PayloadRow."""

    __tablename__ = "func_executions"
    sync: Mapped[bool]
    method: Mapped[str]
    path: Mapped[str]
    query: Mapped[str] = mapped_column(server_default="")
    headers: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    content_type: Mapped[str] = mapped_column(server_default="")
    request_size: Mapped[int] = mapped_column(server_default="0")
    response_size: Mapped[int | None]
    record: Mapped[str] = mapped_column(server_default="full")
    """The part of the bytes that is kept after the answer was read: `full`, `output` or `meta`."""
    request_sha256: Mapped[str | None]
    response_sha256: Mapped[str | None]
    trimmed_at: Mapped[datetime | None]
    """When the bytes that are not kept were deleted."""


class PayloadRow(Base):
    """The bytes of a function call: the request, written when it is accepted, and the answer, written when it ends."""

    __tablename__ = "execution_io"
    execution: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    request: Mapped[bytes | None]
    response: Mapped[bytes | None]
    stderr: Mapped[bytes | None]
