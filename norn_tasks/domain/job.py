"""The job: one accepted piece of work, and the words for its states. The ledger (`store`) keeps it, workers run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from norn_tasks.domain.call import Call
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.secret import Sealed


class JobClass(StrEnum):
    """A queue with its own worker pool."""

    INVOKE = "invoke"
    CRON = "cron"
    DEPLOY = "deploy"
    OBSERVE = "observe"


class JobKind(StrEnum):
    """What a job does."""

    FORGE = "forge"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"
    SCALE = "scale"
    REPAIR = "repair"
    TEARDOWN = "teardown"
    INVOKE = "invoke"
    CRON_RUN = "cron-run"
    RUN = "run"
    OBSERVE = "observe"
    READ_LOGS = "read-logs"
    NOTIFY = "notify"
    CALL_DEADMAN = "call-deadman"
    EXEC = "exec"

    @property
    def job_class(self) -> JobClass:
        """The queue it waits in."""
        return _CLASSES[self]

    @property
    def exclusive(self) -> bool:
        """True when one app may have only one such job running, in order of acceptance."""
        return self.job_class is JobClass.DEPLOY

    @property
    def takes_slot(self) -> bool:
        """True when it runs in one of its app's concurrency slots."""
        return self in (JobKind.INVOKE, JobKind.CRON_RUN, JobKind.RUN)


_CLASSES = {
    JobKind.FORGE: JobClass.DEPLOY,
    JobKind.DEPLOY: JobClass.DEPLOY,
    JobKind.ROLLBACK: JobClass.DEPLOY,
    JobKind.RESTART: JobClass.DEPLOY,
    JobKind.SCALE: JobClass.DEPLOY,
    JobKind.REPAIR: JobClass.DEPLOY,
    JobKind.TEARDOWN: JobClass.DEPLOY,
    JobKind.INVOKE: JobClass.INVOKE,
    JobKind.CRON_RUN: JobClass.CRON,
    JobKind.RUN: JobClass.CRON,
    JobKind.OBSERVE: JobClass.OBSERVE,
    JobKind.READ_LOGS: JobClass.OBSERVE,
    JobKind.NOTIFY: JobClass.OBSERVE,
    JobKind.CALL_DEADMAN: JobClass.OBSERVE,
    JobKind.EXEC: JobClass.OBSERVE,
}


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    DEAD = "dead"
    ERROR = "error"

    @property
    def terminal(self) -> bool:
        """True when nothing more will happen to it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Fence:
    """The right to act for a job: every effect inside and outside the database is checked against the token."""

    job: int
    token: int


@dataclass(frozen=True)
class Problem:
    """Why something ended badly: stable code, sentence, way out."""

    code: str
    sentence: str
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """Answers the shape in which rows and the API carry it."""
        return {"code": self.code, "sentence": self.sentence, "hint": self.hint}


@dataclass(frozen=True)
class Job:
    """A claimed job as its worker sees it: everything is frozen in it when it is accepted.

    `args` are what was asked (`ref`, `release`, `replicas`, …), `facts` what its steps have learned so far,
    `container` the engine's id of a container recorded for its execution by an earlier owner, `remaining` the seconds
    that its deadline is away at the claim. `published` is its release's image in the registry.
    `call`, `image_id` and `scheduled_for` are its execution's; a run by hand
    is scheduled for the moment it was asked for. `sealed` are the app's secrets as they are at the claim. `engine` is
    where the job is pinned to, `here` the engine of the worker that has it.
    """

    id: int
    kind: JobKind
    app: str
    spec: Infraspec | None
    fence: Fence
    args: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    claims: int = 1
    runs: int = 0
    max_runs: int = 1
    begun: bool = False
    adopt: bool = False
    sync: bool = False
    release: int | None = None
    deployment: int | None = None
    execution: int | None = None
    engine: str | None = None
    here: str | None = None
    container: str | None = None
    deadline: datetime | None = None
    remaining: float | None = None
    actor: str = ""
    call: Call | None = None
    image_id: str | None = None
    published: str | None = None
    scheduled_for: datetime | None = None
    sealed: tuple[Sealed, ...] = ()
