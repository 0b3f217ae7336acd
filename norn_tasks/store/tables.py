"""Every table of Norn, one class each; the ledger's rules are in the modules beside it, its DDL in `migrations/`.

Times are `timestamptz` and come from `clock_timestamp()` of the database, never from a worker's clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base, Xid8


class Instance(Base):
    """The control plane's own name, in one row."""

    __tablename__ = "instance"
    name: Mapped[str] = mapped_column(primary_key=True)


class App(Base):
    """An app: its registered spec, how its infrastructure stands, which deployment is live."""

    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    spec: Mapped[dict[str, Any]]
    source: Mapped[str]
    """`applied` (PUT) or `directory` (NORN_APPS_DIR)."""
    origin: Mapped[str | None]
    """The directory of a `directory` app."""
    version: Mapped[int] = mapped_column(server_default="1")
    forge_state: Mapped[str] = mapped_column(server_default="unforged")
    forge_error: Mapped[dict[str, Any] | None]
    cluster: Mapped[str | None]
    live_deployment: Mapped[int | None]
    live_generation: Mapped[int | None]
    replicas_override: Mapped[int | None]
    override_spec: Mapped[int | None]
    """The spec's number when the override was set: the override ends when the spec's number changes."""
    override_by: Mapped[str | None]
    override_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AppSpec(Base):
    """The history of what was applied."""

    __tablename__ = "app_specs"
    __table_args__ = (PrimaryKeyConstraint("app", "version"),)
    app: Mapped[str]
    version: Mapped[int]
    spec: Mapped[dict[str, Any]]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


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
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class DeploymentRow(Base):
    """One try to make a release live."""

    __tablename__ = "deployments"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    job_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    ref: Mapped[str | None]
    revision: Mapped[str | None]
    release: Mapped[int]
    actor: Mapped[str]
    error: Mapped[dict[str, Any] | None]
    returned_to: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class Release(Base):
    """Image, source revision and spec: what a rollback brings back. The number is its deployment's, counted per app."""

    __tablename__ = "releases"
    __table_args__ = (PrimaryKeyConstraint("app", "n"),)
    app: Mapped[str]
    n: Mapped[int]
    image: Mapped[str | None]
    image_id: Mapped[str | None]
    engine: Mapped[str | None]
    key: Mapped[str | None]
    stages: Mapped[list[str]] = mapped_column(server_default="{}")
    revision: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    live_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]


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
    """A cron run, with its output: head and tail of each stream, and how much was dropped."""

    __tablename__ = "cron_executions"
    scheduled_for: Mapped[datetime | None]
    trigger: Mapped[str]
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


class ExecutionIO(Base):
    """The bytes of a function call: the request from its acceptance on, the answer from its end on."""

    __tablename__ = "execution_io"
    execution: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    request: Mapped[bytes | None]
    response: Mapped[bytes | None]
    stderr: Mapped[bytes | None]


class CronState(Base):
    """An app's schedule: the spec's and the override apart, paused or not, and when it is due next."""

    __tablename__ = "cron_states"
    app: Mapped[str] = mapped_column(primary_key=True)
    schedule: Mapped[str]
    timezone: Mapped[str]
    override_schedule: Mapped[str | None]
    override_timezone: Mapped[str | None]
    override_by: Mapped[str | None]
    override_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    paused_reason: Mapped[str | None]
    concurrent: Mapped[int] = mapped_column(server_default="1")
    anchor: Mapped[datetime] = mapped_column(server_default=NOW)
    decided_until: Mapped[datetime] = mapped_column(server_default=NOW)
    next_due: Mapped[datetime | None]


class CronTick(Base):
    """An occurrence and its one verdict; `until` and `how_many` make it a range of occurrences with one verdict."""

    __tablename__ = "cron_ticks"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    scheduled_for: Mapped[datetime]
    verdict: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    job_id: Mapped[int | None]
    execution: Mapped[int | None]
    until: Mapped[datetime | None]
    how_many: Mapped[int] = mapped_column(server_default="1")
    open: Mapped[bool] = mapped_column(server_default="false")
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Slot(Base):
    """One of an app's places to run in a class; held by the job that runs in it."""

    __tablename__ = "slots"
    __table_args__ = (PrimaryKeyConstraint("class", "app", "n"),)
    class_: Mapped[str] = mapped_column("class")
    app: Mapped[str]
    n: Mapped[int]
    job_id: Mapped[int | None]


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


class Token(Base):
    """An API token, by its hash."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str]
    scopes: Mapped[list[str]]
    apps: Mapped[list[str] | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Audit(Base):
    """Who did what: one row per accepted or refused mutation."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    actor: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    app: Mapped[str | None]
    status: Mapped[int]


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


class Worker(Base):
    """A worker process of one class, as it last spoke for itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class")
    host: Mapped[str]
    pid: Mapped[int]
    engine: Mapped[str | None]
    engine_error: Mapped[str | None]
    slots: Mapped[int]
    busy: Mapped[int] = mapped_column(server_default="0")
    last_claim_at: Mapped[datetime | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    draining_at: Mapped[datetime | None]


class Beat(Base):
    """A beat process, and how late its last tick was (seconds)."""

    __tablename__ = "beats"
    name: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    lag_seconds: Mapped[float] = mapped_column(server_default="0")


class WorkloadRow(Base):
    """What the last look at the cluster saw of an app."""

    __tablename__ = "workload_status"
    app: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[int]
    ready: Mapped[int]
    replicas: Mapped[list[Any]]
    message: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ReplicaRow(Base):
    """A container of the docker cluster: recorded before it starts, followed by the router."""

    __tablename__ = "replicas"
    container: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    release: Mapped[int]
    generation: Mapped[int]
    state: Mapped[str]
    address: Mapped[str] = mapped_column(server_default="")
    token: Mapped[int]
    drained_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Address(Base):
    """The loopback port that the router keeps for a webserver; `error` when it cannot listen there."""

    __tablename__ = "addresses"
    app: Mapped[str] = mapped_column(primary_key=True)
    port: Mapped[int]
    error: Mapped[str | None]
    listening_at: Mapped[datetime | None]
