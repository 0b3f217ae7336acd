"""Hints for schedules that Norn cannot read: most say how to write, in Norn's syntax, a form that other cron programs
accept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from norn_tasks.domain.wording import closest

EXAMPLE = "write minute hour day month weekday, such as 0 9 * * 1-5"
_MACROS = {
    "@minutely": "write * * * * * or @every 1m",
    "@minute": "write * * * * * or @every 1m",
    "@weekdays": "write 0 0 * * 1-5",
    "@workdays": "write 0 0 * * 1-5",
    "@weekends": "write 0 0 * * 0,6",
    "@reboot": "nothing starts a cron app at boot: what must always run is a worker (role: worker); for regular runs "
    "write @every 90s, @hourly, @daily or five fields",
}
_ZONE = re.compile(r"(?:CRON_)?TZ=\S+", re.IGNORECASE)
_FIELD = re.compile(r"[0-9*?/,#-]+|[A-Z]{1,3}(?:-[A-Z]{1,3})?|[0-9]*[LW]+", re.IGNORECASE)
"""The form that a sixth field has in other cron programs: seconds, or a year."""
_TEST_THE_DATE = "and let the command test the date"


def of_macro(text: str, known: Mapping[str, str]) -> str:
    """Returns a hint for a text that begins with @ and is none of the macros."""
    if text.lower() in _MACROS:
        return _MACROS[text.lower()]
    likely = closest(text, known)
    return f"did you mean {likely}?" if likely else "write @every 90s, @hourly, @daily or five fields"


def of_count(parts: Sequence[str]) -> tuple[str, str]:
    """Returns a sentence and a hint for a schedule that does not have five fields."""
    if not parts:
        return "it is empty, too long, or not plain text", EXAMPLE
    if _ZONE.fullmatch(parts[0]):
        zone = parts[0].partition("=")[2]
        return "the zone is a field of its own", f"write timezone: {zone} in the infraspec, or --timezone {zone}"
    if len(parts) > 5 and not _FIELD.fullmatch(parts[5]):
        return "the command is a field of its own", "write command: in the infraspec, and only the five fields here"
    if len(parts) == 6:
        return "it has six fields, and seconds are not one of the five", EXAMPLE
    return f"it has {len(parts)} {'field' if len(parts) == 1 else 'fields'} in place of five", EXAMPLE


def of_word(term: str) -> tuple[str, str] | None:
    """Returns a sentence and a hint for a term that only other programs accept; None for any other term."""
    upper = term.upper()
    if upper == "?":
        return "? is not known here", "write * for any"
    if re.match(r"H(?:\(|/|\Z)", upper):
        return "H is not known here", "choose a number; jitter: 15m spreads apps that are due at the same moment"
    if re.fullmatch(r"[0-9A-Z]+#[0-9]+", upper):
        number = int(upper.partition("#")[2][:3])
        days = f"{7 * number - 6}-{min(7 * number, 31)}" if 1 <= number <= 5 else "1-7"
        return "# is not known here", f"write {days} as the days of the month, {_TEST_THE_DATE}"
    if re.fullmatch(r"L|LW|L-[0-9]+", upper):
        return "L is not known here", f"for the last day write 28-31 as the days of the month, {_TEST_THE_DATE}"
    if re.fullmatch(r"[0-9]+L", upper):
        return "L is not known here", f"for the last one of a month write 22-31 as its days, {_TEST_THE_DATE}"
    if re.fullmatch(r"[0-9]+W", upper):
        return "W is not known here", f"write the days that it may be, such as 13-17, {_TEST_THE_DATE}"
    return None


def of_name(term: str, words: Sequence[str]) -> str:
    """Returns a hint for a name of a month or weekday that is misspelt or too long; empty if no name is likely."""
    for word in re.findall(r"[A-Za-z]+", term):
        short = word.upper()[:3]
        if word.upper() not in words:
            return f"did you mean {short}?" if short in words else ""
    return ""


def of_range(first: str, last: str, low: str, high: str) -> str:
    """Returns a hint for a range that runs downward: to write two ranges, one up to `high` and one from `low`."""
    if last.upper() == "SUN":
        return f"write {first}-7: Sunday is 0 or 7"
    return f"write {_span(first, high)},{_span(low, last)}"


def _span(first: str, last: str) -> str:
    return first if first.upper() == last.upper() else f"{first}-{last}"


def of_step(field: str, step: int) -> str:
    """Returns a hint for a step that is larger than its field allows."""
    if field == "minute":
        return "every 60 minutes is 0 * * * *" if step == 60 else f"for longer periods write @every {step}m"
    if field == "hour":
        return "every 24 hours is 0 0 * * *" if step == 24 else f"for longer periods write @every {step}h"
    return "for longer periods write @every, such as @every 90m"
