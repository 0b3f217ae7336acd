"""The error tree: every refusal and failure of Norn, as a sentence with a stable code and a hint.

An error is raised where the cause is known, and reported once, at an edge: the API turns it into an RFC 9457 problem
with `status`, the runner writes it into the job, the CLI prints sentence and hint. A released `code` never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


class NornError(Exception):
    """A refusal or failure; `sentence` says what happened, `hint` what to do about it (may be empty)."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.facts = facts

    @property
    def rendered(self) -> str:
        """The text that a command prints: the sentence with its code, further lines, and the hint as the last line."""
        sentence, *more = self.sentence.split("\n")
        return "\n".join([f"error: {sentence} [{self.code}]", *more, *([f"hint: {self.hint}"] if self.hint else [])])


# The request is wrong: nothing was done.


class InvalidRequest(NornError):
    """The request is readable but wrong; the sentence names the field."""

    code, status = "invalid_request", 422


class BadRequest(NornError):
    """The request cannot be read at all: broken JSON, a missing body."""

    code, status = "bad_request", 400


class UnsupportedMedia(NornError):
    """The body has a content type that this endpoint does not read."""

    code, status = "unsupported_media_type", 415


class BodyTooLarge(NornError):
    """The body is over the limit that the sentence names."""

    code, status = "body_too_large", 413


@dataclass(frozen=True)
class Mistake:
    """One mistake in an infraspec: its file, its line and column from 1, the field, the mistake itself, and a hint."""

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.field}: {self.message}"

    @property
    def line_with_hint(self) -> str:
        """The mistake and its hint on one line."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class SpecInvalid(NornError):
    """An infraspec has mistakes. All are reported at once; a failed step shows them as its last lines."""

    code, status = "spec_invalid", 422

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"{mistakes[0].file} has {count}: {mistakes[0]}" if mistakes else "the infraspec is not valid",
            hint=mistakes[0].hint if mistakes else "",
            last_lines=[mistake.line_with_hint for mistake in mistakes] if len(mistakes) > 1 else [],
        )
        self.mistakes = mistakes


# The caller is not allowed to do this.


class Unauthenticated(NornError):
    """The request has no token, or its token is unknown or revoked."""

    code, status = "unauthenticated", 401


class Forbidden(NornError):
    """The token is valid, but does not allow this request."""

    code, status = "forbidden", 403


class TooManyRequests(NornError):
    """The caller sends too many requests; `retry_after` (seconds) is in the facts."""

    code, status = "too_many_requests", 429


# The target does not exist, or its state does not allow this.


class NotFound(NornError):
    """Nothing has that name or id."""

    code, status = "not_found", 404


class AppNotFound(NotFound):
    """No app has that name."""

    code = "app_not_found"


class Conflict(NornError):
    """The target is in a state that does not allow this request now."""

    code, status = "conflict", 409


class HostTaken(Conflict):
    """Another app has this host name; the sentence names that app only if the caller may see it (`named`)."""

    code = "host_taken"

    def __init__(self, host: str, owner: str, *, named: bool = False, public: bool = False) -> None:
        field, word = ("hosts.external", "public") if public else ("hosts.internal", "internal")
        sentence = f"{field}: {host} is the {word} name of {owner if named else 'another app'}"
        super().__init__(sentence, hint=f"choose another {field}")
        self.host, self.owner, self.public = host, owner, public

    def naming_the_owner(self) -> HostTaken:
        """Returns the same error with the owner's name in it."""
        return HostTaken(self.host, self.owner, named=True, public=self.public)


class ServiceTaken(Conflict):
    """Another app owns the database or the namespace that a spec names."""

    code = "service_taken"


class NoService(Conflict):
    """The server has no shared service of the kind that a spec names."""

    code = "no_service"


class NotForged(Conflict):
    """The app has no infrastructure yet."""

    code = "not_forged"


class NotDeployed(Conflict):
    """The app has no successful release yet."""

    code = "not_deployed"


class WrongRole(Conflict):
    """The verb does not apply to an app of this role."""

    code = "wrong_role"


class ReleaseGone(Conflict):
    """The release is known, but its image no longer exists."""

    code = "release_gone"


class NotRecorded(Conflict):
    """This part of a call was not kept, because the app's spec says so."""

    code = "not_recorded"


class AlreadyRunning(Conflict):
    """Something of this kind is already running, and only one may run at a time."""

    code = "already_running"


class SecretsMissing(Conflict):
    """The spec names secrets that are not set."""

    code = "secrets_missing"


class SecretsLocked(Conflict):
    """A secret exists, but the key that opens it is missing."""

    code = "secrets_locked"


class KeyReused(InvalidRequest):
    """An Idempotency-Key was sent again with another body."""

    code = "idempotency_key_reused"


# Norn, or something that it depends on, does not work.


class Unavailable(NornError):
    """A required part of Norn is unavailable; the request changed nothing."""

    code, status = "unavailable", 503


class DatabaseDown(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_down"


class Unconfirmed(DatabaseDown):
    """PostgreSQL did not confirm a change, which may have been made. A caller must find out before it tries again."""

    code, status = "unconfirmed", 504


class DeadlockVictim(DatabaseDown):
    """Two transactions waited for each other, and this one was rolled back; a retry succeeds."""


class DiskFull(Unavailable):
    """A disk has too little space for this; the sentence says which disk, and how much is free."""

    code, status = "disk_full", 507


class ServiceDown(Unavailable):
    """A shared service does not answer."""

    code = "service_down"


class EngineDown(Unavailable):
    """The container engine does not answer."""

    code = "engine_down"


class ClusterDown(Unavailable):
    """The cluster does not answer."""

    code = "cluster_down"


class JobUnreadable(NornError):
    """A job's row does not have the shape that this version of Norn writes; the sentence names the fields."""

    code, status = "job_unreadable", 500


# A job went wrong.


class StepFailed(NornError):
    """A step failed. This is the base class of the errors that adapters and steps raise for a failed job."""

    code, status = "step_failed", 502


class SourceError(StepFailed):
    """The source cannot be fetched: no such ref, no such directory, or a refused address."""

    code = "source_error"


class BuildFailed(StepFailed):
    """The image build ended with an error; the sentence has its last line."""

    code = "build_failed"


class RegistryFailed(StepFailed):
    """The registry did not accept the image, or does not have it; the sentence has its message."""

    code = "registry_failed"


class TestsFailed(StepFailed):
    """The app's tests ended with an error."""

    code = "tests_failed"
    __test__ = False


class RolloutFailed(StepFailed):
    """The new release did not become healthy; the sentence says why."""

    code = "rollout_failed"


class TunnelFailed(StepFailed):
    """The tunnel or its DNS refused a change, or another owner's rule or record blocks it; the sentence says which."""

    code = "tunnel_failed"


class TimedOut(StepFailed):
    """The work took longer than its limit, which the sentence names."""

    code = "timed_out"


class LeaseLost(NornError):
    """Another worker owns the job now: this worker ends its processes and containers, and writes nothing further."""

    code = "lease_lost"


class Stopped(NornError):
    """The work was stopped; `reason` in the facts is `cancelled`, `draining` or `lease_lost`."""

    code = "stopped"


class Postponed(Stopped):
    """The job needs something that another job holds. It goes back to the queue, and begins again when that is free."""
