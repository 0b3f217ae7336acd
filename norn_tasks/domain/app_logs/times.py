"""Times of log lines: reads the times that people write, and formats times for people."""

from __future__ import annotations

from datetime import UTC, datetime

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.quantities import parse_duration
from norn_tasks.domain.wording import shown

_SECOND = 10**9


def parse_time(text: str, now: float, field: str) -> int:
    """Parses a time that a person wrote, and returns it in nanoseconds since 1970; raises InvalidRequest.

    The text is either a time (UTC if it has no zone) or a duration, which is subtracted from `now`.
    """
    try:
        return int((now - parse_duration(text)) * _SECOND)
    except InvalidRequest:
        pass
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * _SECOND + at.microsecond * 1000
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"{field}: {shown(text)} is neither a duration nor a time",
            hint="write how long ago, such as 2h or 90m, or a time such as 2026-11-30T17:00:00Z; UTC without a zone",
        ) from error


def time_text(at: int) -> str:
    """Returns a time in UTC with microseconds. The alphabetical order of such texts is the order of time."""
    second, rest = divmod(at, _SECOND)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
