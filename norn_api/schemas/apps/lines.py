"""The query of an app's log lines."""

from __future__ import annotations

from pydantic import Field

from norn_api.schemas.common import InQuery


class LogsQuery(InQuery):
    """The lines to return."""

    tail: int = Field(100, ge=0, le=10_000)
    """How many of the last lines are returned."""
    follow: bool = False
    """Continue with new lines as they arrive."""
    since: str | None = Field(None, max_length=64, examples=["2h", "2026-11-30T17:00:00Z"])
    """Only lines of this time or later; a duration counts back from now."""
    until: str | None = Field(None, max_length=64, examples=["30m", "2026-11-30T18:00:00Z"])
    """Only lines from before this time; a duration counts back from now."""
    grep: str | None = Field(None, min_length=1, max_length=1000, examples=["(?i)error|timeout"])
    """Only lines in which this regular expression is found (RE2)."""
    release: int | None = Field(None, ge=1, le=2**31 - 1)
    """Only lines of this release."""
    replica: int | None = Field(None, ge=1, le=2**31 - 1)
    """Only lines of the replica with this number."""
    previous: bool = False
    """Only lines of the newest replicas that are gone."""
    timestamps: bool = False
    """Begin each line of text with its time; JSON lines always have it."""
