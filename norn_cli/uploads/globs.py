"""Compiles lines of a .gitignore so that a hostile line cannot keep the command busy for hours.

A regular expression with several stars tries every length for each star. That is needed only for the last star: if the
text between two stars is matched as early as possible, no other length can succeed where this one fails. So each star
except the last is written as an atomic group, which is tried once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from norn_cli.errors import CliError

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_STAR = "[^/]*"
_GROUP = "(?"
_MOST = 4
"""The most parts of a line whose length may vary while matching: each `**`, and each star in front of a `**`."""


def compiled(line: str) -> GitIgnoreSpecPattern:
    """Returns a line as a pattern of pathspec; raises CliError for a line that would take too long to match."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    regex, include = GitIgnoreSpecPattern.pattern_to_regex(line)
    if regex is None:
        return GitIgnoreSpecPattern(None)
    quick = _with_atomic_stars(str(regex))
    if _tried(quick) > _MOST:
        raise CliError(
            f"the pattern {line[:80]} of an ignore file would take too long to match", hint="use fewer stars in it"
        )
    return GitIgnoreSpecPattern(re.compile(quick), include)


def _with_atomic_stars(regex: str) -> str:
    head, *behind = regex.split(_STAR)
    if not behind:
        return regex
    first = [f"{_STAR}{each}" if _GROUP in each else f"(?>{_STAR}?{each})" for each in behind[:-1]]
    return f"{head}{''.join(first)}{_STAR}{behind[-1]}"


def _tried(regex: str) -> int:
    """Returns how many parts of a regular expression may vary in length while matching."""
    lazy = f"{_STAR}?"
    return regex.count(".+") + regex.count(_STAR) - regex.count(lazy)
