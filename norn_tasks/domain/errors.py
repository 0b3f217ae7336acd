"""The error tree: every way in which Norn says no, as a sentence with a stable code and a way out.

An error is raised where the fact is known, and told once, at an edge: the API turns it into an RFC 9457 problem of
`status`, the runner writes it into the job, the CLI prints sentence and hint. `code` never changes once released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


class NornError(Exception):
    """Anything that Norn refuses or fails at; `sentence` says what happened, `hint` the way out (may be empty)."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.facts = facts

    @property
    def told(self) -> str:
        """What a command prints of it: the sentence with its code, what follows it, and on the last line the hint."""
        sentence, *more = self.sentence.split("\n")
        return "\n".join([f"error: {sentence} [{self.code}]", *more, *([f"hint: {self.hint}"] if self.hint else [])])


# What was asked is wrong: nothing was done.


class InvalidRequest(NornError):
    """The request is understood and wrong; the sentence names the field."""

    code, status = "invalid_request", 422


class BadRequest(NornError):
    """The request cannot be read at all: broken JSON, a missing body."""

    code, status = "bad_request", 400


class UnsupportedMedia(NornError):
    """The body has another content type than this endpoint reads."""

    code, status = "unsupported_media_type", 415


class BodyTooLarge(NornError):
    """The body is over the limit that the sentence names."""

    code, status = "body_too_large", 413


@dataclass(frozen=True)
class Mistake:
    """One mistake in an infraspec: where (1-based line and column), which field, what is wrong, what would be right."""

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
        """The mistake on one line with what would be right."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class SpecInvalid(NornError):
    """An infraspec with mistakes, all of them at once; several are the last lines of a step that it fails."""

    code, status = "spec_invalid", 422

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"{mistakes[0].file} has {count}: {mistakes[0]}" if mistakes else "the infraspec is not valid",
            hint=mistakes[0].hint if mistakes else "",
            last_lines=[mistake.line_with_hint for mistake in mistakes] if len(mistakes) > 1 else [],
        )
        self.mistakes = mistakes


# Who asks.


class Unauthenticated(NornError):
    """No token, or one that Norn does not know, or that was revoked."""

    code, status = "unauthenticated", 401


class Forbidden(NornError):
    """The token is good, and does not reach this far."""

    code, status = "forbidden", 403


class TooManyRequests(NornError):
    """Slow down; `retry_after` (seconds) is in the facts."""

    code, status = "too_many_requests", 429


# What is asked for is not there, or not in that state.


class NotFound(NornError):
    """Nothing of that name or id."""

    code, status = "not_found", 404


class AppNotFound(NotFound):
    """No app of that name."""

    code = "app_not_found"


class Conflict(NornError):
    """The thing is in a state that does not allow this now."""

    code, status = "conflict", 409


class HostTaken(Conflict):
    """An internal name is another app's; the sentence names that one only to who may see it (`named`)."""

    code = "host_taken"

    def __init__(self, host: str, owner: str, *, named: bool = False) -> None:
        sentence = f"hosts.internal: {host} is the internal name of {owner if named else 'another app'}"
        super().__init__(sentence, hint="choose another hosts.internal")
        self.host, self.owner = host, owner


class NotForged(Conflict):
    """The app has no infrastructure yet."""

    code = "not_forged"


class NotDeployed(Conflict):
    """The app has no succeeded release yet."""

    code = "not_deployed"


class WrongRole(Conflict):
    """The verb does not apply to an app of this role."""

    code = "wrong_role"


class ReleaseGone(Conflict):
    """The release is known, and its image is not there any more."""

    code = "release_gone"


class NotRecorded(Conflict):
    """What is asked for was not kept: the app's spec says that less stays of a call."""

    code = "not_recorded"


class AlreadyRunning(Conflict):
    """Something of this kind is running, and the rules allow one."""

    code = "already_running"


class SecretsMissing(Conflict):
    """The spec names secrets that are not set."""

    code = "secrets_missing"


class SecretsLocked(Conflict):
    """A secret is there, and the key that opens it is not."""

    code = "secrets_locked"


class KeyReused(InvalidRequest):
    """An Idempotency-Key came again with another body."""

    code = "idempotency_key_reused"


# Norn or something below it is out of order.


class Unavailable(NornError):
    """Not now: a part that is needed is away; the request left nothing behind."""

    code, status = "unavailable", 503


class DatabaseDown(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_down"


class GaveWay(DatabaseDown):
    """Two transactions waited for each other, and this one was rolled back; the same again succeeds."""


class DiskFull(Unavailable):
    """A disk has too little room for what was asked; the sentence says which, and how much is free."""

    code, status = "disk_full", 507


class EngineDown(Unavailable):
    """The container engine does not answer."""

    code = "engine_down"


class ClusterDown(Unavailable):
    """The cluster does not answer."""

    code = "cluster_down"


# A job went wrong.


class StepFailed(NornError):
    """A step could not do its work; the base of what adapters and steps raise about the app's own doing."""

    code, status = "step_failed", 502


class SourceError(StepFailed):
    """The source cannot be had: no such ref, no such directory, refused address."""

    code = "source_error"


class BuildFailed(StepFailed):
    """The image build ended with an error; the sentence has its last line."""

    code = "build_failed"


class RegistryFailed(StepFailed):
    """The registry did not take the image, or does not have it; the sentence has what it said."""

    code = "registry_failed"


class TestsFailed(StepFailed):
    """The app's tests ended with an error."""

    code = "tests_failed"
    __test__ = False


class RolloutFailed(StepFailed):
    """The new release did not become healthy; the sentence says why."""

    code = "rollout_failed"


class TimedOut(StepFailed):
    """It took longer than its limit, which the sentence names."""

    code = "timed_out"


class LeaseLost(NornError):
    """Another worker owns the job now: kill what this job started, write nothing more."""

    code = "lease_lost"


class Stopped(NornError):
    """The work was told to stop; `reason` in the facts is `cancelled`, `draining` or `lease_lost`."""

    code = "stopped"
