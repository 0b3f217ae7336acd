"""The vocabulary of jobs: kinds, classes, states, the fence of a claim, and the reason for a bad end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobClass(StrEnum):
    """A queue of jobs with its own pool of workers."""

    INVOKE = "invoke"
    CRON = "cron"
    DEPLOY = "deploy"
    OBSERVE = "observe"

    @property
    def runs_code(self) -> bool:
        """True if jobs of this class run an app's code until it ends, each in one of the app's slots."""
        return self in (JobClass.INVOKE, JobClass.CRON)


class JobKind(StrEnum):
    """The kind of work that a job does."""

    FORGE = "forge"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"
    SCALE = "scale"
    REPAIR = "repair"
    TEARDOWN = "teardown"
    PUSH = "push"
    POLL = "poll"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    DRILL = "drill"
    INVOKE = "invoke"
    CRON_RUN = "cron-run"
    RUN = "run"
    OBSERVE = "observe"
    COMPARE = "compare"
    READ_LOGS = "read-logs"
    NOTIFY = "notify"
    CALL_DEADMAN = "call-deadman"
    EXEC = "exec"
    IMPORT_SECRETS = "import-secrets"
    EXPORT_SECRETS = "export-secrets"
    ROTATE_KEY = "rotate-key"

    @property
    def job_class(self) -> JobClass:
        """The queue in which such a job waits."""
        return _CLASSES[self]

    @property
    def exclusive(self) -> bool:
        """True if an app runs only one such job at a time, in the order of acceptance."""
        return self.job_class is JobClass.DEPLOY

    @property
    def takes_slot(self) -> bool:
        """True if such a job needs one of its app's concurrency slots."""
        return self.job_class.runs_code


_CLASSES = {
    JobKind.FORGE: JobClass.DEPLOY,
    JobKind.DEPLOY: JobClass.DEPLOY,
    JobKind.ROLLBACK: JobClass.DEPLOY,
    JobKind.RESTART: JobClass.DEPLOY,
    JobKind.SCALE: JobClass.DEPLOY,
    JobKind.REPAIR: JobClass.DEPLOY,
    JobKind.TEARDOWN: JobClass.DEPLOY,
    JobKind.PUSH: JobClass.DEPLOY,
    JobKind.POLL: JobClass.DEPLOY,
    JobKind.SNAPSHOT: JobClass.DEPLOY,
    JobKind.RESTORE: JobClass.DEPLOY,
    JobKind.DRILL: JobClass.DEPLOY,
    JobKind.INVOKE: JobClass.INVOKE,
    JobKind.CRON_RUN: JobClass.CRON,
    JobKind.RUN: JobClass.CRON,
    JobKind.OBSERVE: JobClass.OBSERVE,
    JobKind.COMPARE: JobClass.OBSERVE,
    JobKind.READ_LOGS: JobClass.OBSERVE,
    JobKind.NOTIFY: JobClass.OBSERVE,
    JobKind.CALL_DEADMAN: JobClass.OBSERVE,
    JobKind.EXEC: JobClass.OBSERVE,
    JobKind.IMPORT_SECRETS: JobClass.OBSERVE,
    JobKind.EXPORT_SECRETS: JobClass.OBSERVE,
    JobKind.ROTATE_KEY: JobClass.OBSERVE,
}


class JobState(StrEnum):
    """The state of a job."""

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
        """True if the state can no longer change."""
        return self not in OPEN


OPEN = (JobState.QUEUED, JobState.RUNNING)
"""The states of a job that has not ended; the same rule in SQL is `store.rules.lists.OPEN_STATES`."""


@dataclass(frozen=True)
class Fence:
    """The right to act for a job: every effect inside and outside the database is checked against the token."""

    job: int
    """The number of the job."""
    token: int
    """The token of the claim; a later claim has a higher one."""


@dataclass(frozen=True)
class Problem:
    """The reason why a job or a step ended badly."""

    code: str
    """The code, which is the same in every version of Norn; docs/errors.md lists all codes."""
    sentence: str
    """A sentence for people."""
    hint: str = ""
    """The command or the change that helps, if there is one."""

    def to_json(self) -> dict[str, str]:
        """Returns the problem in the form that rows and the API use."""
        return {"code": self.code, "sentence": self.sentence, "hint": self.hint}
