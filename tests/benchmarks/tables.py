"""Tables that are good in a terminal and in Markdown, and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Returns the rows as a table; the first one is its head."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def percentile(values: Sequence[float], p: int) -> float | None:
    """Returns the smallest value that at least p percent of the values do not exceed; None if there are no values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * p / 100) - 1)]


def rounded(value: float | None) -> float | None:
    """Returns the value with three digits after the point."""
    return None if value is None else round(value, 3)
