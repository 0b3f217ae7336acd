"""Helps to word messages: quotes a refused value, guesses the intended value, lists choices, names the command that
shows a log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches

SHOWN_AT_MOST = 60
"""The most characters of a refused value in a message."""


def shown(text: object) -> str:
    """Quotes a text from outside for a message: shortened, on one line, and without control characters."""
    word = str(text)
    if len(word) > SHOWN_AT_MOST:
        word = word[: SHOWN_AT_MOST - 1] + "…"
    return f'"{word}"' if word.isprintable() and not set(word) & set('"\\') else json.dumps(word)


def closest(word: str, options: Iterable[str]) -> str | None:
    """Returns the option that `word` was probably meant to be, despite a typo, another case, or `_` for `-`; None if
    none is close.
    """
    plain = {_plain(option): option for option in options}
    found = get_close_matches(_plain(word[:SHOWN_AT_MOST]), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def one_of(options: Iterable[str]) -> str:
    """Joins options as a choice: `a, b or c`."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def log_of(process: str) -> str:
    """Returns the commands that show the log of a process, for both ways of starting it."""
    return f"norn logs --server {process}, or docker-compose logs {process}"


def _plain(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
