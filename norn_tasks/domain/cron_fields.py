"""The grammar of a schedule's text: five fields as in Debian's crontab(5), and macros; each refusal names the field.

The check is ours and comes first, because cronsim, which computes, also takes a sixth field, `L`, `LW` and `5#2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import closest, one_of, shown

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXAMPLE = "write minute hour day month weekday, such as 0 9 * * 1-5"
_LONGEST = 512
_TERM = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", re.ASCII)
_SAME_STEPPED = re.compile(r"\b(\w+)-\1/[0-9]+", re.ASCII)
"""A range of one with a step, `57-57/2`: one number. cronsim reads it as `57/2`, from there to the end of the field."""
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    """One of the five: its name, its numbers, its words."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def choice(self) -> str:
        words = f" ({self.words[0].lower()} to {self.words[-1].lower()})" if self.words else ""
        return f"{self.low} to {self.high}{words}"

    def number(self, word: str) -> int | None:
        if word.upper() in self.words:
            return self.words.index(word.upper()) + self.low
        good = re.fullmatch(r"[0-9]{1,2}", word, re.ASCII) and self.low <= int(word) <= self.high
        return int(word) if good else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("day of the week", 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)


def five_fields(text: str) -> str:
    """Return the five fields that a schedule means, single-spaced and in capitals; macros are translated here.

    Raises `InvalidRequest` with the field that is bad and what it may be.
    """
    if text.startswith("@"):
        return _macro(text)
    parts = re.findall(r"[^ \t]+", text.upper()) if text.isascii() and len(text) <= _LONGEST else []
    if len(parts) != len(_FIELDS):
        raise InvalidRequest(f"{shown(text)} is not a schedule: {_count(parts)}", hint=EXAMPLE)
    sets = [_values(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    _refuse_never(parts, days=sets[2], months=sets[3])
    return " ".join(_SAME_STEPPED.sub(r"\1", part) for part in parts)


def _macro(text: str) -> str:
    found = MACROS.get(text.lower())
    if found:
        return found
    likely = closest(text, MACROS)
    hint = f"did you mean {likely}?" if likely else "write @every 90s, @hourly, @daily or five fields"
    raise InvalidRequest(f"{shown(text)} is none of {one_of((*MACROS, '@every 90s'))}", hint=hint)


def _count(parts: list[str]) -> str:
    if len(parts) == 6:
        return "it has six fields, and seconds are not one of the five"
    if not parts:
        return "it is empty, too long, or not plain text"
    return f"it has {len(parts)} {'field' if len(parts) == 1 else 'fields'} in place of five"


def _values(field: _Field, part: str) -> set[int]:
    found: set[int] = set()
    for term in part.split(","):
        found |= _term(field, term)
    return found


def _term(field: _Field, term: str) -> set[int]:
    match = _TERM.fullmatch(term)
    if not match:
        raise _bad(field, term, f"it may be *, {field.choice}, a range, a list or a step")
    base, first, last, step = match.groups()
    low, high = field.low, field.high
    if base != "*":
        low, high = _bounds(field, term, first, last, stepped=step is not None)
    return set(range(low, high + 1, _step(field, term, step)))


def _bounds(field: _Field, term: str, first: str, last: str | None, *, stepped: bool) -> tuple[int, int]:
    low, high = field.number(first), field.number(last or first)
    if low is None or high is None:
        raise _bad(field, term, f"it may be {field.choice}", hint="write * for any" if term == "?" else "")
    if low > high:
        raise _bad(
            field,
            term,
            f"a range runs upward, within {field.low} to {field.high}",
            hint="write two ranges with a comma",
        )
    if stepped and not last:
        if field.name == "day of the week":
            raise _bad(field, term, "a step needs a range before it", hint=f"write {first}-6/2")
        high = field.high
    return low, high


def _step(field: _Field, term: str, step: str | None) -> int:
    if step is None:
        return 1
    if not 1 <= int(step[:9]) <= field.high:
        raise _bad(
            field, term, f"a step may be 1 to {field.high}", hint="for longer periods write @every, such as @every 90m"
        )
    return int(step)


def _refuse_never(parts: list[str], *, days: set[int], months: set[int]) -> None:
    both_must_match = parts[2].startswith("*") or parts[4].startswith("*")
    if both_must_match and min(days) > max(_LONGEST_MONTH[month] for month in months):
        raise InvalidRequest(
            f"the schedule {shown(' '.join(parts))} never comes: no such month has a day {min(days)}",
            hint="choose a day that the month has",
        )


def _bad(field: _Field, term: str, rule: str, hint: str = "") -> InvalidRequest:
    return InvalidRequest(f"the schedule's {field.name} {shown(term)} is not good: {rule}", hint=hint or EXAMPLE)
