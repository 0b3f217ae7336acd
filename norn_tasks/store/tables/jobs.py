"""The ledger: jobs, their steps, their logs, their slots, and the events that tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Computed, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base, Xid8

NEEDED_MEMORY = """CASE
    WHEN kind = 'invoke' THEN coalesce(CAST(spec -> 'function' ->> 'memory' AS bigint), 268435456)
    WHEN kind IN ('cron-run', 'run') THEN coalesce(CAST(spec -> 'resources' ->> 'memory' AS bigint), 536870912)
    WHEN kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') AND spec ->> 'role' IN ('webserver', 'worker')
    THEN CAST(spec -> 'resources' ->> 'memory' AS bigint) END"""
"""What the container of a job may use: a call 256 MiB and a run 512 MiB unless its spec says more or less; of a change
of replicas one more of them, if the spec says what that is."""


class JobRow(Base):
    """A job of the ledger; reliability.md says what each column is for."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    app: Mapped[str]
    exclusive: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="queued")
    sync: Mapped[bool] = mapped_column(server_default="false")
    spec: Mapped[dict[str, Any] | None]
    args: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    facts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    actor: Mapped[str]
    dedupe_key: Mapped[str | None]
    engine: Mapped[str | None]
    container: Mapped[str | None]
    process_group: Mapped[dict[str, Any] | None]
    release: Mapped[int | None]
    deployment: Mapped[int | None]
    execution: Mapped[int | None]
    claims: Mapped[int] = mapped_column(server_default="0")
    runs: Mapped[int] = mapped_column(server_default="0")
    max_runs: Mapped[int] = mapped_column(server_default="1")
    adopt: Mapped[bool] = mapped_column(server_default="false")
    lease_token: Mapped[int | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime] = mapped_column(server_default=NOW)
    deadline: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    first_claimed_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    cancel_by: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    event_seq: Mapped[int] = mapped_column(server_default="0")
    memory: Mapped[int | None] = mapped_column(Computed(NEEDED_MEMORY, persisted=True))


class StepRow(Base):
    """A step of a job, once it began or was skipped."""

    __tablename__ = "steps"
    __table_args__ = (PrimaryKeyConstraint("job_id", "n"),)
    job_id: Mapped[int]
    n: Mapped[int]
    name: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="1")
    token: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")
    error: Mapped[dict[str, Any] | None]


class StepLog(Base):
    """A piece of a step's output, in order."""

    __tablename__ = "step_logs"
    __table_args__ = (PrimaryKeyConstraint("job_id", "step", "seq"),)
    job_id: Mapped[int]
    step: Mapped[str]
    seq: Mapped[int]
    chunk: Mapped[str]
    stream: Mapped[str] = mapped_column(server_default="stdout")
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class Slot(Base):
    """One of an app's places to run in a class; held by the job that runs in it."""

    __tablename__ = "slots"
    __table_args__ = (PrimaryKeyConstraint("class", "app", "n"),)
    class_: Mapped[str] = mapped_column("class")
    app: Mapped[str]
    n: Mapped[int]
    job_id: Mapped[int | None]
    surplus: Mapped[bool] = mapped_column(server_default="false")
    """The app has fewer slots by now: it goes when its job gives it back."""


class BuildRow(Base):
    """A build that waits for its turn on an engine, or has it."""

    __tablename__ = "builds"
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    engine: Mapped[str]
    token: Mapped[int]
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryHeld(Base):
    """What a job holds of its engine's memory, from its claim until its container is gone."""

    __tablename__ = "memory_held"
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    engine: Mapped[str]
    bytes: Mapped[int]


class Event(Base):
    """A fact, told in the transaction that made it; (xact, id) is its place in the stream."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    xact: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    kind: Mapped[str]
    app: Mapped[str | None]
    job_id: Mapped[int | None]
    seq: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Idempotency(Base):
    """What an Idempotency-Key was used for."""

    __tablename__ = "idempotency"
    __table_args__ = (PrimaryKeyConstraint("actor", "method", "path", "key"),)
    actor: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    key: Mapped[str]
    request_sha256: Mapped[str]
    job_id: Mapped[int | None]
    status: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
