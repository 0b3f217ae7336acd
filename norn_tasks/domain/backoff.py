"""Pauses that double: between tries of a run, of a repair, of a notification, and between wake-ups of one class."""

from __future__ import annotations


def doubling_pause(first: float, attempt: int, *, most: float) -> float:
    """Returns the pause in seconds after the given attempt, counted from 1: `first`, then twice as long each time.

    It is never longer than `most`.
    """
    # An exponent of thousands would be no float; after 2**32 every limit is reached.
    return min(first * 2.0 ** min(attempt - 1, 32), most)
