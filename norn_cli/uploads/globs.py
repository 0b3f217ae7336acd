"""Compiles lines of a .gitignore so that a hostile line cannot keep the command busy for hours.

A regular expression with several stars tries every length of each star. The part between two stars is best found as
early as possible. So each star but the last is written as an atomic group, which is tried once.
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
"""Parts of a line that are tried in every length: `**`, and stars in front of one."""


def compiled(line: str) -> GitIgnoreSpecPattern:
    """Returns a line as pathspec takes it; raises CliError for one that takes too long to match."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    regex, include = GitIgnoreSpecPattern.pattern_to_regex(line)
    if regex is None:
        return GitIgnoreSpecPattern(None)
    quick = _with_atomic_stars(str(regex))
    if _tried(quick) > _MOST:
        raise CliError(f"the pattern {line[:80]} of an ignore file is too intricate", hint="use fewer stars in it")
    return GitIgnoreSpecPattern(re.compile(quick), include)


def _with_atomic_stars(regex: str) -> str:
    head, *behind = regex.split(_STAR)
    if not behind:
        return regex
    first = [f"{_STAR}{each}" if _GROUP in each else f"(?>{_STAR}?{each})" for each in behind[:-1]]
    return f"{head}{''.join(first)}{_STAR}{behind[-1]}"


def _tried(regex: str) -> int:
    """Returns how many parts of a regular expression are tried in every length."""
    lazy = f"{_STAR}?"
    return regex.count(".+") + regex.count(_STAR) - regex.count(lazy)
