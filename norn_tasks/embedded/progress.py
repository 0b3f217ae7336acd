"""The output of `norn up` and `norn down`: a line for each action, with the seconds that it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 72
"""The width to which a line of progress is padded before its outcome."""


def say(text: str) -> None:
    """Prints a line immediately."""
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Prints an action; when the block ends, prints how long it took, and whether it failed."""
    began = time.monotonic()
    sys.stdout.write(f"  {text:<{WIDTH}} ")
    sys.stdout.flush()
    word = "failed after "
    try:
        yield
        word = ""
    finally:
        say(f"{word}{time.monotonic() - began:.1f} s")


def duration(seconds: float) -> str:
    """Returns a duration for people: `12 s`, `3 min`, `2 h 5 min`, `4 d 3 h`."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 1:
        return f"{int(seconds)} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
