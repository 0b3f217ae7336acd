"""Notifications for people: each has a title, a text and a level, which are the same for every service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from norn_tasks.domain.alerting.alert import Severity
from norn_tasks.domain.quantities import duration_text

_RAISED, _RESOLVED = "alert.raised", "alert.resolved"
_LONGEST = 400
"""The most characters of a sentence in a message; `norn alerts` shows the complete sentence."""
_SHOWN = 8
"""The most reports that one message shows."""


class Level(IntEnum):
    """The importance of a message."""

    TEST = 0
    RESOLVED = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True)
class AlertMessage:
    """A notification as a text for people."""

    title: str
    """One line with the server, and with the app, kind and state of the alert, or the number of alerts."""
    text: str
    """The lines after the title."""
    level: Level
    """Its importance."""


def message(server: str, reports: Sequence[Mapping[str, Any]]) -> AlertMessage:
    """Returns the message about one report, or about all reports of a burst."""
    level = max(map(_level, reports))
    title = _line(reports[0]) if len(reports) == 1 else _count(reports)
    # The most important reports are first, because a telephone shows only the beginning.
    shown = sorted(reports, key=_level, reverse=True)[:_SHOWN]
    texts = [_text(one) if len(reports) == 1 else f"{_line(one)}\n{_text(one)}" for one in shown]
    if len(reports) > _SHOWN:
        texts.append(f"and {len(reports) - _SHOWN} more: norn alerts --all")
    return AlertMessage(f"[{one_line(server)}] {title}", "\n\n".join(texts), level)


def one_line(text: object, longest: int = _LONGEST) -> str:
    """Returns a text on one line, without control characters, and with at most `longest` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _level(report: Mapping[str, Any]) -> Level:
    if report["event"] == _RAISED:
        return Level.CRITICAL if report.get("severity") == Severity.CRITICAL else Level.WARNING
    return Level.RESOLVED if report["event"] == _RESOLVED else Level.TEST


def _line(report: Mapping[str, Any]) -> str:
    level = _level(report)
    if level is Level.TEST:
        return "test of notifications"
    state = "resolved" if level is Level.RESOLVED else f"open, {level.name.lower()}"
    return f"{one_line(report.get('app') or 'the server')}: {one_line(report['kind'])} ({state})"


def _count(reports: Sequence[Mapping[str, Any]]) -> str:
    opened = sum(_level(one) > Level.RESOLVED for one in reports)
    parts = [f"{number} {state}" for number, state in ((opened, "open"), (len(reports) - opened, "resolved")) if number]
    return f"{len(reports)} alerts: {', '.join(parts)}"


def _text(report: Mapping[str, Any]) -> str:
    sentence, level = one_line(report["sentence"]), _level(report)
    if level is Level.TEST:
        return sentence
    if level is Level.RESOLVED:
        return f"{one_line(report.get('resolution') or 'it is over')}\nIt was: {sentence}\n{_times(report)}"
    return f"{sentence}\nNext: {one_line(report['hint'])}\nSince {_moment(report['at']):%Y-%m-%d %H:%M:%S} UTC"


def _times(report: Mapping[str, Any]) -> str:
    end = _moment(report["at"])
    if "since" not in report:
        return f"Resolved {end:%Y-%m-%d %H:%M:%S} UTC"
    begin = _moment(report["since"])
    lasted = max(1, round((end - begin) / timedelta(seconds=1)))
    return f"Open from {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC ({duration_text(lasted)})"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
