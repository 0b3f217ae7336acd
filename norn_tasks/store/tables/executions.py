"""Runs: cron runs, function calls and one-offs, with what they read and wrote."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class ExecutionColumns:
    """What a cron run and a function call have in common; their ids come from the one sequence `executions`."""

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


class CronExecution(ExecutionColumns, Base):
    """A cron run, with its output: head and tail of each stream, and how much was dropped.

    `planned_at` is when it was to begin: its occurrence and the jitter; `begun_at` is when its latest try began.
    """

    __tablename__ = "cron_executions"
    scheduled_for: Mapped[datetime | None]
    planned_at: Mapped[datetime | None]
    trigger: Mapped[str]
    stdout: Mapped[str] = mapped_column(server_default="")
    stdout_dropped: Mapped[int] = mapped_column(server_default="0")
    stderr: Mapped[str] = mapped_column(server_default="")
    stderr_dropped: Mapped[int] = mapped_column(server_default="0")


class OneOff(ExecutionColumns, Base):
    """A command that somebody ran in an app's image, with its output as a cron run has it; `timeout` in seconds."""

    __tablename__ = "oneoffs"
    command: Mapped[list[str]]
    timeout: Mapped[int]
    stdout: Mapped[str] = mapped_column(server_default="")
    stdout_dropped: Mapped[int] = mapped_column(server_default="0")
    stderr: Mapped[str] = mapped_column(server_default="")
    stderr_dropped: Mapped[int] = mapped_column(server_default="0")


class FuncExecution(ExecutionColumns, Base):
    """A function call; its bytes are in ExecutionIO."""

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
    """What stays of its bytes after the answer was taken: `full`, `output`, `meta`."""
    request_sha256: Mapped[str | None]
    response_sha256: Mapped[str | None]
    trimmed_at: Mapped[datetime | None]
    """When what is not to stay was dropped."""


class ExecutionIO(Base):
    """The bytes of a function call: the request from its acceptance on, the answer from its end on."""

    __tablename__ = "execution_io"
    execution: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    request: Mapped[bytes | None]
    response: Mapped[bytes | None]
    stderr: Mapped[bytes | None]
