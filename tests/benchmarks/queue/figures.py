"""The figures that are measured for one queue, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tests.benchmarks.tables import markdown

Turn = tuple[str, Mapping[str, float]]
"""The name of a queue, and the figures of one of its turns."""

HEAD = (
    "queue", "accepted/s", "drained/s", "both at once/s", "WAL bytes", "CPU: all", "PostgreSQL", "workers", "clients",
    "dead rows", "20/s: p50 / p95 / p99", "80%: p50 / p95 / p99", "horizon held", "kills: lost / twice / s",
    "restart: lost / twice / s",
)  # fmt: skip


def medians(turns: Sequence[Turn]) -> list[dict[str, object]]:
    """Returns a row for each queue: for each figure the median of its turns; for those of failures, such as lost jobs,
    the worst turn.
    """
    found: list[dict[str, object]] = []
    for name in dict.fromkeys(name for name, _ in turns):
        own = [figures for each, figures in turns if each == name]
        fields = dict.fromkeys(field for figures in own for field in figures)
        row = {field: _one(field, [figures[field] for figures in own if field in figures]) for field in fields}
        found.append({"queue": name, **row})
    return found


def _one(field: str, values: Sequence[float]) -> float:
    worst = field.endswith(("_lost", "_twice", "_failed", "_refused", "_recovery_s"))
    return round(max(values) if worst else median(values), 3)


def table(turns: Sequence[Turn]) -> str:
    """Returns the rows as a table; a figure that was not measured is a dash."""
    return markdown([HEAD, *(_line(row) for row in medians(turns))])


def _line(row: Mapping[str, object]) -> list[str]:
    return [
        str(row["queue"]),
        *(_cell(row, "{:,.0f}", field) for field in ("accepted_per_s", "drained_per_s", "saturated_per_s")),
        _cell(row, "{:,.0f}", "wal_bytes"),
        *(_cell(row, "{:.2f} ms", f"cpu{part}_ms") for part in ("", "_postgres", "_workers", "_clients")),
        _cell(row, "{:,.0f}", "dead_rows"),
        *(_cell(row, "{:.0f} / {:.0f} / {:.0f} ms", *(f"{name}_p{p}_ms" for p in (50, 95, 99)))
          for name in ("paced", "eighty")),
        _cell(row, "{:,.0f} of {:,.0f}/s", "held_per_s", "free_per_s"),
        *(_cell(row, "{:.0f} / {:.0f} / {:.1f}", f"{name}_lost", f"{name}_twice", f"{name}_recovery_s")
          for name in ("kills", "restart")),
    ]  # fmt: skip


def _cell(row: Mapping[str, object], form: str, *fields: str) -> str:
    return form.format(*(row[field] for field in fields)) if all(field in row for field in fields) else "–"
