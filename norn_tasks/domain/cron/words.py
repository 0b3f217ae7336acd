"""Describes in words when a schedule is due, for people who do not read cron expressions."""

from __future__ import annotations

from datetime import timedelta

from norn_tasks.domain.cron.expression import Schedule

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = {str(number): name for number, name in enumerate(_MONTHS, start=1)}
_DAY_NAMES = {str(number): name for number, name in enumerate(_DAYS)}
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_TIMES = 4
"""The most times of day that are listed; more of them are described by minute and hour."""


def words(schedule: Schedule) -> str:
    """Returns a schedule in words, such as `at 09:00 on Monday to Friday`."""
    if schedule.period is not None:
        return _every(schedule.period)
    minute, hour, day, month, weekday = schedule.fields.split()
    times = _times_of_day(minute, hour)
    days = _days(day, weekday)
    if times and not days and month == "*":
        days = "every day"
    parts = (times or f"{_minutes(minute)}{_hours(minute, hour)}", days, _months(month))
    return " ".join(part for part in parts if part)


def _every(period: timedelta) -> str:
    seconds = int(period.total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"every {unit}" if seconds == size else f"every {seconds // size} {unit}s"


def _times_of_day(minute: str, hour: str) -> str:
    """Returns words that list the times of day; empty if there are too many, or if there is a range or a step."""
    minutes, hours = minute.split(","), hour.split(",")
    if len(minutes) * len(hours) > _TIMES or not all(each.isdigit() for each in (*minutes, *hours)):
        return ""
    times = sorted({f"{int(h):02}:{int(m):02}" for h in hours for m in minutes})
    return f"at {_joined(times)}"


def _minutes(minute: str) -> str:
    if minute in ("*", "*/1"):
        return "every minute"
    if minute.startswith("*/") and "," not in minute:
        step = int(minute[2:])
        return f"every {step} minutes" + ("" if 60 % step == 0 else " from the start of each hour")
    return f"at {_numbers(minute, 'minute')}"


def _hours(minute: str, hour: str) -> str:
    if hour in ("*", "*/1"):
        return "" if minute.startswith("*") else " of every hour"
    if hour.startswith("*/") and "," not in hour:
        step = int(hour[2:])
        return f" of every {_nth(step)} hour" + ("" if 24 % step == 0 else " from midnight")
    return f" of {_numbers(hour, 'hour')}"


def _days(day: str, weekday: str) -> str:
    """Returns the days in words. As in cron, it is enough if one of the two fields matches, unless one begins with a
    star.
    """
    in_month = "" if day == "*" else f"on {_numbers(day, 'day')} of the month"
    in_week = "" if weekday == "*" else f"on {_names(weekday, _DAY_NAMES, 'day of the week')}"
    if not in_month or not in_week:
        return in_month or in_week
    if day.startswith("*") or weekday.startswith("*"):
        return f"{in_month} if it is {in_week.removeprefix('on ')}"
    return f"{in_month} or {in_week}"


def _months(month: str) -> str:
    return "" if month == "*" else f"in {_names(month, _MONTH_NAMES, 'month')}"


def _numbers(field: str, unit: str) -> str:
    if field.isdigit():
        return f"{unit} {field}"
    if field.startswith("*/") and "," not in field:
        return f"every {_nth(int(field[2:]))} {unit}"
    return f"{unit}s {_names(field, {}, unit)}" if field[0].isdigit() and "/" not in field else _names(field, {}, unit)


def _names(field: str, names: dict[str, str], unit: str) -> str:
    return _joined([_term(term, names, unit) for term in field.split(",")])


def _term(term: str, names: dict[str, str], unit: str) -> str:
    """Returns the words for one term of a list: a number, a range, or every n-th of a range or of all."""
    base, _, step = term.partition("/")
    first, _, last = base.partition("-")
    span = names.get(first, first) + (f" to {names.get(last, last)}" if last else "")
    if not step:
        return "all" if base == "*" else span
    return f"every {_nth(int(step))} {unit}" + ("" if base == "*" else f" from {span}")


def _nth(number: int) -> str:
    if number == 1:
        return "single"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _joined(parts: list[str]) -> str:
    *rest, last = parts
    return f"{', '.join(rest)} and {last}" if rest else last
