"""Computes pauses that double, for example between the tries of a run, a repair or a notification."""

from __future__ import annotations


def doubling_pause(first: float, attempt: int, *, most: float) -> float:
    """Returns the pause in seconds after the given attempt, counted from 1: `first`, then twice as long each time.

    No pause is longer than `most`.
    """
    # 2.0 to the power of thousands would overflow a float, and 2**32 is already beyond every limit.
    return min(first * 2.0 ** min(attempt - 1, 32), most)
