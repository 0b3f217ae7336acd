"""Times for people, who ask "how long ago" and "how long did it take"; the server sends RFC 3339 times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def parse(text: str) -> datetime:
    """Reads an RFC 3339 time."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def duration(seconds: float | None) -> str:
    """Returns a duration as text: `0.4 s`, `41 s`, `3 min 5 s`, `2 h 10 min`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def between(begun: str | None, ended: str | None) -> str:
    """Returns the duration between two times; empty while one of them is missing."""
    return duration((parse(ended) - parse(begun)).total_seconds()) if begun and ended else ""


def ago(text: str | None, now: datetime | None = None) -> str:
    """Returns the distance of a time from now in one unit: `3 min ago`, `in 5 h`, `now`; empty for None."""
    if not text:
        return ""
    away = parse(text) - (now or datetime.now(UTC))
    amount = _one_unit(abs(away))
    if not amount:
        return "now"
    return f"in {amount}" if away > timedelta(0) else f"{amount} ago"


def local(text: str | None, zone: str = "UTC") -> str:
    """Returns a time as `2026-11-24 09:00:00 Europe/Berlin`; empty for None."""
    if not text:
        return ""
    known = _zone(zone)
    return f"{parse(text).astimezone(known or UTC):%Y-%m-%d %H:%M:%S} {zone if known else 'UTC'}"


def span(first: str | None, last: str | None, zone: str = "UTC") -> str:
    """Returns the time `first`, or if there is also a `last`, both as `2026-11-24 09:00:00 to 12:00:00 UTC`."""
    if not (first and last):
        return local(first, zone)
    begin, end = local(first, zone), local(last, zone)
    return f"{begin[:19]} to {end[11:] if begin[:10] == end[:10] else end}"


def _one_unit(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for size, word in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {word}"
    return f"{seconds} s" if seconds else ""


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # this machine does not know a zone of this name
        return None
