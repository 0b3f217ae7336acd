"""The ledger: jobs, their steps, logs, slots and reserved memory, and the events about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Computed, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.domain.jobs.execution import RUN_MEMORY
from norn_tasks.domain.jobs.placement import BUILDS, CLUSTER, ENGINE, HOME, RUNTIME
from norn_tasks.store.database.columns import NOW, Base, Xid8
from norn_tasks.store.rules.lists import CODE_CLASSES, LONG_RUNNING_ROLES

NEEDED_MEMORY = f"""CASE
    WHEN kind = 'invoke' THEN CAST(spec -> 'function' ->> 'memory' AS bigint)
    WHEN kind IN ('cron-run', 'run') THEN coalesce(CAST(spec -> 'resources' ->> 'memory' AS bigint), {RUN_MEMORY})
    WHEN kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') AND spec ->> 'role' IN {LONG_RUNNING_ROLES}
    THEN CAST(spec -> 'resources' ->> 'memory' AS bigint) END"""
"""The memory limit of one container or replica of a job; none where its spec has none."""


REQUIRED_CAPABILITIES = f"""array_remove(ARRAY[
    CASE WHEN engine = '{HOME}' THEN engine ELSE '{ENGINE}' || engine END,
    CASE WHEN container IS NOT NULL THEN '{ENGINE}' || container_engine END,
    '{CLUSTER}' || cluster,
    CASE WHEN class IN {CODE_CLASSES} OR kind = 'deploy' THEN '{RUNTIME}' || (spec ->> 'runtime') END,
    CASE WHEN kind = 'deploy' THEN '{BUILDS}' END], NULL)"""
"""The capabilities that a worker needs to take a job: the engine to which it is pinned, the engine of its container,
its cluster, the runtime that starts its code and, for a deploy, an engine that builds and stores images.
"""


class JobRow(Base):
    """A job of the ledger: one accepted piece of work."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    """The number of the job; exclusive jobs of an app run in this order."""
    kind: Mapped[str]
    """The kind of work, which decides the steps."""
    class_: Mapped[str] = mapped_column("class")
    """The queue in which it waits."""
    app: Mapped[str]
    """The app; empty for observations and other jobs that belong to no app."""
    exclusive: Mapped[bool]
    """True for a change of the app: only one such job of an app runs at a time."""
    state: Mapped[str] = mapped_column(server_default="queued")
    """Its state; `JobState` lists all states."""
    sync: Mapped[bool] = mapped_column(server_default="false")
    """True if a client waits for the answer. Such a job is taken before others of its app, and its code never begins
    twice.
    """
    spec: Mapped[dict[str, Any] | None]
    """The infraspec with which it runs, stored at its acceptance; a deploy replaces it with the one in its revision."""
    args: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """Its request, as `domain.jobs.requests` writes and reads it."""
    facts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """The values that its steps learned, as `domain.jobs.facts` writes and reads them."""
    actor: Mapped[str]
    """The token, the schedule or the process that requested the job."""
    dedupe_key: Mapped[str | None]
    """A second request with the same kind, app and key joins the open job."""
    engine: Mapped[str | None]
    """The engine to which it is pinned: an id, or `home`; None if it may run on any engine."""
    cluster: Mapped[str | None]
    """The cluster of its app, or the cluster that it observes; none for other jobs."""
    container: Mapped[str | None]
    """The id that the engine gave its container, once the id is recorded."""
    container_runtime: Mapped[str | None]
    """The runtime that started the container; none when an older worker recorded it."""
    container_engine: Mapped[str | None]
    """The id of the engine that has the container; none when an older worker recorded it."""
    release: Mapped[int | None]
    """The release that it makes or runs."""
    deployment: Mapped[int | None]
    """Its deployment, for a deploy or a rollback."""
    execution: Mapped[int | None]
    """Its execution, for a call, a cron run or a one-off."""
    claims: Mapped[int] = mapped_column(server_default="0")
    """How many workers have taken it."""
    runs: Mapped[int] = mapped_column(server_default="0")
    """How often its code has begun."""
    max_runs: Mapped[int] = mapped_column(server_default="1")
    """How often its code may begin."""
    adopt: Mapped[bool] = mapped_column(server_default="false")
    """True if its container may still be running, so that the next worker waits for the end of that container."""
    lease_token: Mapped[int | None]
    """The token of the latest claim; a write with an older token is refused."""
    lease_owner: Mapped[str | None]
    """The worker of the latest claim."""
    lease_until: Mapped[datetime | None]
    """The moment at which the lease expires, unless it is renewed."""
    run_after: Mapped[datetime] = mapped_column(server_default=NOW)
    """The job is not claimed before this moment, because of a jitter or the pause before a retry."""
    deadline: Mapped[datetime | None]
    """The job expires if it has not begun by this moment."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment of its acceptance."""
    first_claimed_at: Mapped[datetime | None]
    """The time of its first claim; None means that no worker has done anything for the job."""
    begun_at: Mapped[datetime | None]
    """The moment at which its code last began."""
    ended_at: Mapped[datetime | None]
    """The moment of its end."""
    cancel_requested_at: Mapped[datetime | None]
    """The moment at which somebody asked it to stop."""
    cancel_by: Mapped[str | None]
    """The actor that asked it to stop."""
    error: Mapped[dict[str, Any] | None]
    """Code, sentence and hint of a bad end."""
    event_seq: Mapped[int] = mapped_column(server_default="0")
    """The number of its events; the next event gets the next number, without gaps."""
    memory: Mapped[int | None] = mapped_column(Computed(NEEDED_MEMORY, persisted=True))
    """The memory limit of one of its containers in bytes, which PostgreSQL computes from kind and spec."""
    requires: Mapped[list[str]] = mapped_column(Computed(REQUIRED_CAPABILITIES, persisted=True))
    """The capabilities that its worker needs, which PostgreSQL computes from the columns above."""
    attention: Mapped[str | None]
    """`open` while a person must decide about a step whose end is unknown, then the decision; None for other jobs."""


class StepRow(Base):
    """A step of a job that has begun or was skipped."""

    __tablename__ = "steps"
    __table_args__ = (PrimaryKeyConstraint("job_id", "n"),)
    job_id: Mapped[int]
    """The job."""
    n: Mapped[int]
    """The number of the step in its pipeline, from 1."""
    name: Mapped[str]
    """The name of the step."""
    state: Mapped[str]
    """Its state; `StepState` lists all states."""
    attempts: Mapped[int] = mapped_column(server_default="1")
    """How often it has begun."""
    token: Mapped[int]
    """The token of the claim under which it last began."""
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment at which it last began."""
    ended_at: Mapped[datetime | None]
    """The moment of its end."""
    note: Mapped[str] = mapped_column(server_default="")
    """A note for people about the result."""
    error: Mapped[dict[str, Any] | None]
    """Code, sentence and hint of a bad end."""
    once: Mapped[bool] = mapped_column(server_default="false")
    """True if the step is not repeated automatically after it had begun and its end is unknown."""


class StepLogRow(Base):
    """A chunk of a step's output."""

    __tablename__ = "step_logs"
    __table_args__ = (PrimaryKeyConstraint("job_id", "step", "seq"),)
    job_id: Mapped[int]
    """The job."""
    step: Mapped[str]
    """The name of the step."""
    seq: Mapped[int]
    """The number of the chunk within the step."""
    chunk: Mapped[str]
    """The text."""
    stream: Mapped[str] = mapped_column(server_default="stdout")
    """`stdout` or `stderr`."""
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment at which it was written."""


class SlotRow(Base):
    """The right of one job of an app to run in a class."""

    __tablename__ = "slots"
    __table_args__ = (PrimaryKeyConstraint("class", "app", "n"),)
    class_: Mapped[str] = mapped_column("class")
    """`invoke` or `cron`."""
    app: Mapped[str]
    """The app whose slot it is."""
    n: Mapped[int]
    """The number of the slot; a slot above 1,000,000 was made for a single job, and is deleted when that job ends."""
    job_id: Mapped[int | None]
    """The job that holds it; none when it is free."""
    surplus: Mapped[bool] = mapped_column(server_default="false")
    """True if the app has fewer slots now: the row is deleted when its job releases the slot."""


class BuildRow(Base):
    """A build that runs on an engine, or that waits for its turn there."""

    __tablename__ = "builds"
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The deploy whose build it is."""
    engine: Mapped[str]
    """The engine on which it builds."""
    token: Mapped[int]
    """The token of the deploy's claim; 0 while the build waits for its turn."""
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment at which the deploy first asked for the turn."""


class MemoryHeldRow(Base):
    """The memory that a job reserves on its engine, from its claim until its container is gone."""

    __tablename__ = "memory_held"
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The job that reserves the memory."""
    engine: Mapped[str]
    """The engine whose memory it is."""
    bytes: Mapped[int]
    """How much it reserves; a deploy lowers it when its rollout begins."""


class EventRow(Base):
    """An event, written in the transaction of the fact that it reports; (xact, id) is its position in the stream."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    """The number of the event."""
    xact: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    """The transaction that wrote it; readers see the event only after all older transactions have ended."""
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment at which it was written."""
    kind: Mapped[str]
    """The kind of fact; `EventKind` lists all kinds."""
    app: Mapped[str | None]
    """The app that it is about, if any."""
    job_id: Mapped[int | None]
    """The job that it is about, if any."""
    seq: Mapped[int | None]
    """Its number among the events of its job."""
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """The rest of the fact; docs/events.md lists the fields of each kind."""


class IdempotencyRow(Base):
    """The use of an Idempotency-Key: the request, and the job that it made."""

    __tablename__ = "idempotency"
    __table_args__ = (PrimaryKeyConstraint("actor", "method", "path", "key"),)
    actor: Mapped[str]
    """The caller."""
    method: Mapped[str]
    """The method of the request."""
    path: Mapped[str]
    """The path of the request."""
    key: Mapped[str]
    """The key that the caller chose."""
    request_sha256: Mapped[str]
    """The hash of the body; another body under the same key is refused."""
    job_id: Mapped[int | None]
    """The job that the request made."""
    status: Mapped[int]
    """The status of the answer."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment of the first request."""
