"""Compares the answers of two calls: status, headers and body, as a client gets them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from norn_api.calling.calls import trouble
from norn_api.calling.outputs import answer_of_call
from norn_tasks.domain.functions.cgi import FunctionAnswer
from norn_tasks.store.runs.runs_read import Answer, FunctionCall

TEXT_MOST, LINES_COMPARED = 64 * 1024, 4000
"""Bodies with more bytes or lines get no diff, because its time grows with the square of the number of lines."""
_LINES_MOST = 400


@dataclass(frozen=True)
class ChangedValue:
    """A value that differs between two answers; None for an answer without it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class AnswerDifference:
    """The differences between two answers. `first_byte`: where the bodies begin to differ; `lines`: the unified
    diff.
    """

    status: ChangedValue | None
    headers: tuple[ChangedValue, ...]
    first_byte: int | None
    lines: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True if a client sees no difference."""
        return self.status is None and not self.headers and self.first_byte is None


def compare(before: FunctionAnswer, after: FunctionAnswer) -> AnswerDifference:
    """Returns what differs between two answers."""
    differs = before.status != after.status
    status = ChangedValue("status", str(before.status), str(after.status)) if differs else None
    return AnswerDifference(
        status, _headers(before, after), _first_byte(before.body, after.body), _lines(before, after)
    )


def seen_answer(call: FunctionCall, io: Answer) -> FunctionAnswer:
    """Returns the answer of a call that has ended, as a client got it; for a failed call, only the status."""
    error = trouble(call)
    return FunctionAnswer(error.status, (), b"") if error is not None else answer_of_call(call, io)


def _headers(before: FunctionAnswer, after: FunctionAnswer) -> tuple[ChangedValue, ...]:
    one, two = _by_name(before), _by_name(after)
    names = sorted({*one, *two})
    return tuple(ChangedValue(name, one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name))


def _by_name(answer: FunctionAnswer) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in answer.headers:
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


def _first_byte(before: bytes, after: bytes) -> int | None:
    if before == after:
        return None
    equal, least = 0, min(len(before), len(after)) + 1
    while least - equal > 1:  # invariant: the first `equal` bytes are the same, the first `least` bytes are not
        middle = (equal + least) // 2
        if before[equal:middle] == after[equal:middle]:
            equal = middle
        else:
            least = middle
    return equal


def _lines(before: FunctionAnswer, after: FunctionAnswer) -> tuple[str, ...]:
    """Returns the unified diff of two texts; empty if one of them is not text, or is too long."""
    if before.body == after.body or max(len(before.body), len(after.body)) > TEXT_MOST:
        return ()
    try:
        one, two = (each.body.decode("utf-8").splitlines() for each in (before, after))
    except UnicodeDecodeError:
        return ()
    if max(len(one), len(two)) > LINES_COMPARED:
        return ()
    return tuple(difflib.unified_diff(one, two, "before", "after", lineterm="", n=2))[:_LINES_MOST]
