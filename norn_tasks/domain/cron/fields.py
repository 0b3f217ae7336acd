"""The grammar of a schedule: five fields as in Debian's crontab(5), and macros. Each refusal names the field.

This check runs before the library cronsim computes anything, because cronsim also accepts a sixth field, `L`, `LW` and
`5#2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from norn_tasks.domain.cron import hints
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import one_of, shown

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST = 512
_TERM = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", re.ASCII)
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The most days of each month; the index is the number of the month."""


@dataclass(frozen=True)
class _Field:
    """One of the five fields: its name, its range of numbers, and the names that it accepts."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def choice(self) -> str:
        words = f" ({self.words[0].lower()} to {self.words[-1].lower()})" if self.words else ""
        return f"{self.low} to {self.high}{words}"

    def ends(self, like: str) -> tuple[str, str]:
        """Returns the field's first and last value, as names if `like` is a name."""
        if like.upper() in self.words:
            return (
                (self.words[0], self.words[-1]) if like.isupper() else (self.words[0].lower(), self.words[-1].lower())
            )
        return str(self.low), str(self.high)

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
    """Returns the five fields that a schedule means: single-spaced, in plain numbers, with macros expanded.

    Raises `InvalidRequest` with the invalid field and the values that it may have.
    """
    if text.startswith("@"):
        return _macro(text)
    parts = re.findall(r"[^ \t]+", text) if text.isascii() and len(text) <= _LONGEST else []
    if len(parts) != len(_FIELDS):
        wrong, hint = hints.of_count(parts)
        raise InvalidRequest(f"{shown(text)} is not a schedule: {wrong}", hint=hint)
    read = [_read(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    _refuse_never(parts, days=read[2].numbers, months=read[3].numbers)
    return " ".join(one.text for one in read)


def _macro(text: str) -> str:
    found = MACROS.get(text.lower())
    if found:
        return found
    hint = hints.of_macro(text, MACROS)
    raise InvalidRequest(f"{shown(text)} is none of {one_of((*MACROS, '@every 90s'))}", hint=hint)


@dataclass(frozen=True)
class _Meaning:
    """The meaning of a field, or of one term in it: its text in plain numbers, such as 1-5 for MON-FRI, and all the
    numbers that it matches.
    """

    text: str
    numbers: frozenset[int]


def _read(field: _Field, part: str) -> _Meaning:
    terms = [_term(field, term) for term in part.split(",")]
    return _Meaning(",".join(term.text for term in terms), frozenset().union(*(term.numbers for term in terms)))


def _term(field: _Field, term: str) -> _Meaning:
    match = _TERM.fullmatch(term)
    foreign = hints.of_word(term)
    if foreign is not None:
        raise _bad(field, term, *foreign)
    if not match:
        raise _bad(field, term, f"it may be *, {field.choice}, a range, a list or a step")
    base, first, last, step = match.groups()
    low, high = field.low, field.high
    if base != "*":
        low, high = _bounds(field, term, first, last, stepped=step is not None)
    numbers = frozenset(range(low, high + 1, _step(field, term, step)))
    # cronsim reads a one-number range with a step, such as 57-57/2, as 57/2, that is from 57 to the end of the field.
    plain = str(low) if low == high else (base if base == "*" else f"{low}-{high}") + (f"/{step}" if step else "")
    return _Meaning(plain, numbers)


def _bounds(field: _Field, term: str, first: str, last: str | None, *, stepped: bool) -> tuple[int, int]:
    low, high = field.number(first), field.number(last or first)
    if low is None or high is None:
        raise _bad(field, term, f"it may be {field.choice}", hints.of_name(term, field.words))
    if low > high:
        ends = (first, str(last), *field.ends(first))
        raise _bad(
            field,
            term,
            f"a range goes from a lower to a higher value, within {field.low} to {field.high}",
            hints.of_range(*ends),
        )
    if stepped and not last:
        if field.name == "day of the week":
            raise _bad(field, term, "a step needs a range before it", hint=f"write {first}-6/2")
        high = field.high
    return low, high


def _step(field: _Field, term: str, step: str | None) -> int:
    if step is None:
        return 1
    size = int(step[:9])
    if size == 0:
        raise _bad(field, term, "a step cannot be 0", "for every value write *, as in * * * * *")
    if size > field.high:
        raise _bad(field, term, f"a step may be 1 to {field.high}", hints.of_step(field.name, size))
    return size


def _refuse_never(parts: list[str], *, days: frozenset[int], months: frozenset[int]) -> None:
    both_must_match = parts[2].startswith("*") or parts[4].startswith("*")
    if both_must_match and min(days) > max(_LONGEST_MONTH[month] for month in months):
        raise InvalidRequest(
            f"the schedule {shown(' '.join(parts))} is never due: none of its months has a day {min(days)}",
            hint="choose a day that the month has",
        )


def _bad(field: _Field, term: str, rule: str, hint: str = "") -> InvalidRequest:
    return InvalidRequest(f"the schedule's {field.name} {shown(term)} is not good: {rule}", hint=hint or hints.EXAMPLE)
