"""Finds lines in a block of text: a regular expression searches the complete block, and its hits are mapped to lines.

The expressions have the syntax of RE2, whose running time is linear in the length of the text, so no user's expression
can block a worker. The expressions cannot match a line end, so no hit covers two lines. This matters because the search
continues after the first line of a hit. If hits covered many lines, each line would be searched many times, in
quadratic time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from norn_tasks.adapters.kept_logs.chunks import Block
from norn_tasks.domain.app_logs.lines import KeptLine, LogQuestion
from norn_tasks.domain.app_logs.pattern import compiled

_OF_WHOLE_TEXT = (r"\A", r"\z", r"\C", "(?-", "(?s", "(?i-", "(?U")
"""Operators that mean something else in a block than in a single line; expressions that contain one are searched line
by line.
"""


_PIECE = 256 * 1024
"""The bytes that are searched in one step."""


class FoundLine(NamedTuple):
    """A line of a text: its number from 0, and its bytes from `start` to `end`."""

    number: int
    start: int
    end: int


Finder = Callable[[bytes], Iterator[FoundLine]]
"""Yields the matching lines of a text."""


def finder(grep: str) -> Finder:
    """Returns a function that finds the lines that match an expression (all lines if it is empty). Raises
    InvalidRequest if it is invalid.
    """
    if not grep:
        return _all
    if any(sign in grep for sign in _OF_WHOLE_TEXT):
        each = compiled(grep)
        return lambda text: (line for line in _all(text) if each.search(text[line.start : line.end]))
    pattern = compiled(grep, "(?m)")
    return lambda text: _hits(pattern, text)


def chosen(block: Block, find: Finder, question: LogQuestion) -> list[KeptLine]:
    """Returns the last lines that the question asks for, oldest first. A tail of 0 means all lines.

    The block is searched backwards from its end, piece by piece, until enough lines are found.
    """
    wanted = [question.covers(origin) for origin in block.origins]
    whole = all(wanted) and question.since is None and question.until is None
    most = question.tail or len(block.times)
    found: list[KeptLine] = []
    end, number = len(block.text), len(block.times)
    while end > 0 and len(found) < most:
        start = block.text.rfind(b"\n", 0, max(0, end - _PIECE)) + 1
        piece = block.text[start:end]
        number -= piece.count(b"\n")
        lines = (
            block.line(number + hit.number, piece[hit.start : hit.end])
            for hit in find(piece)
            if whole
            or (wanted[block.owners[number + hit.number]] and question.within(block.times[number + hit.number]))
        )
        found = [*lines, *found]
        end = start
    return found[-most:] if most else []


def _all(text: bytes) -> Iterator[FoundLine]:
    start = number = 0
    while (end := text.find(b"\n", start)) >= 0:
        yield FoundLine(number, start, end)
        start, number = end + 1, number + 1


def _hits(pattern: Any, text: bytes) -> Iterator[FoundLine]:
    at = counted = number = 0
    while at < len(text) and (hit := pattern.search(text, at)) is not None:
        start, end = text.rfind(b"\n", 0, hit.start()) + 1, text.find(b"\n", hit.start())
        if end < 0:
            return
        number += text.count(b"\n", counted, start)
        counted = start
        yield FoundLine(number, start, end)
        at = end + 1
