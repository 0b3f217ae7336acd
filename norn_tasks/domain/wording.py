"""How a refused word is shown in a sentence, and what the writer may have meant: for every validator of the domain."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches

SHOWN_AT_MOST = 60


def shown(text: object) -> str:
    """Quote a word that came from outside: short, on one line, nothing in it that a terminal would obey."""
    word = str(text)
    if len(word) > SHOWN_AT_MOST:
        word = word[: SHOWN_AT_MOST - 1] + "…"
    return f'"{word}"' if word.isprintable() and not set(word) & set('"\\') else json.dumps(word)


def closest(word: str, options: Iterable[str]) -> str | None:
    """Return the option that a slip of the finger, of case or of `_` for `-` turns into `word`."""
    plain = {_plain(option): option for option in options}
    found = get_close_matches(_plain(word[:SHOWN_AT_MOST]), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def one_of(options: Iterable[str]) -> str:
    """Join words as a choice: `a, b or c`."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def _plain(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
