"""Errors that mean that a request is wrong. Nothing was done."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.errors.base import NornError


class InvalidRequest(NornError):
    """The request can be parsed, but a value in it is wrong; the sentence names the field."""

    code, status = "invalid_request", 422


class BadRequest(NornError):
    """The request cannot be parsed: broken JSON, or a missing body."""

    code, status = "bad_request", 400


class UnsupportedMedia(NornError):
    """The body has a content type that this endpoint does not read."""

    code, status = "unsupported_media_type", 415


class BodyTooLarge(NornError):
    """The body is larger than the limit that the sentence names."""

    code, status = "body_too_large", 413


@dataclass(frozen=True)
class Mistake:
    """One mistake in an infraspec: the file, the line and column (from 1), the field, what is wrong, and a hint."""

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
    """An infraspec has mistakes. All are reported together; a job that fails for this reason shows them as the step's
    last lines.
    """

    code, status = "spec_invalid", 422

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"{mistakes[0].file} has {count}: {mistakes[0]}" if mistakes else "the infraspec is not valid",
            hint=mistakes[0].hint if mistakes else "",
            last_lines=[mistake.line_with_hint for mistake in mistakes] if len(mistakes) > 1 else [],
        )
        self.mistakes = mistakes


class KeyReused(InvalidRequest):
    """An Idempotency-Key was sent again with another body."""

    code = "idempotency_key_reused"
