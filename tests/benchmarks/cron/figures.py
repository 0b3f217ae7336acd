"""The figures that are measured of one scheduler with a number of schedules, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.benchmarks.tables import markdown, percentile, rounded


@dataclass(frozen=True)
class Counted:
    """The results for the occurrences. `lags`: seconds from each occurrence's due time until it was recorded.

    `skipped`: occurrences that were recorded and not run, because the previous run had not ended or not even begun
    (only Norn records these).
    """

    fired: int
    skipped: int
    missing: int
    doubled: int
    lags: Sequence[float]


@dataclass(frozen=True)
class Runs:
    """The runs that Norn's scheduler started through broker and worker: how they ended, and when."""

    succeeded: int
    other: dict[str, int]
    start_lag_p50: float
    start_lag_p99: float
    done_within: float
    worker_cpu: float
    postgres_cpu: float


@dataclass(frozen=True)
class Figures:
    """One row. `cpu`: CPU seconds of the scheduler in `minutes` minutes; `edits`: for each edit of a schedule, seconds
    until the first occurrence by the edited schedule.

    `every`: seconds between two occurrences of a schedule.
    """

    scheduler: str
    version: str
    schedules: int
    minutes: int
    every: int
    counted: Counted
    cpu: float
    edits: Sequence[float] = ()
    edit_by: str = ""
    runs: Runs | None = None
    expected: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "expected", self.schedules * self.minutes * 60 // self.every)

    def to_json(self) -> dict[str, object]:
        """Returns the row as it is printed in the last line, the JSON object."""
        lags, ticks = self.counted.lags, self.counted.fired + self.counted.skipped
        told: dict[str, object] = {
            "scheduler": self.scheduler, "version": self.version, "schedules": self.schedules,
            "minutes": self.minutes, "every": self.every, "expected": self.expected,
            "fired": self.counted.fired, "skipped": self.counted.skipped,
            "missing": self.counted.missing, "doubled": self.counted.doubled,
            "lag_p50": rounded(percentile(lags, 50)), "lag_p99": rounded(percentile(lags, 99)),
            "cpu_per_1000": rounded(self.cpu / ticks * 1000 if ticks else None),
            "cpu_share": rounded(self.cpu / (self.minutes * 60)),
            "edit": rounded(percentile(self.edits, 50)), "edit_max": rounded(max(self.edits, default=None)),
            "edit_by": self.edit_by,
        }  # fmt: skip
        if self.runs is not None:
            told["runs"] = {
                "succeeded": self.runs.succeeded, "other": self.runs.other,
                "start_lag_p50": rounded(self.runs.start_lag_p50), "start_lag_p99": rounded(self.runs.start_lag_p99),
                "done_within": rounded(self.runs.done_within), "worker_cpu": rounded(self.runs.worker_cpu),
                "postgres_cpu": rounded(self.runs.postgres_cpu),
            }  # fmt: skip
        return told


_HEAD = (
    "scheduler", "schedules", "every", "minutes", "fired", "skipped", "missing", "doubled", "lag p50", "lag p99",
    "CPU s per 1,000", "of one core", "edit to tick",
)  # fmt: skip


def table(rows: Sequence[dict[str, object]]) -> str:
    """Returns all rows as a table that is readable in a terminal and in Markdown."""
    return markdown([_HEAD, *(_cells(row) for row in rows)])


def runs_table(rows: Sequence[dict[str, object]]) -> str:
    """Returns a table of the runs that Norn's scheduler started, and how they ended."""
    head = ("schedules", "every", "minutes", "runs succeeded", "other ends", "start lag p50", "start lag p99",
            "done within", "worker CPU s", "PostgreSQL CPU s")  # fmt: skip
    found = [(row, row["runs"]) for row in rows if "runs" in row]
    lines = [
        (_n(row["schedules"]), f"{row['every']} s", _n(row["minutes"]), _n(runs["succeeded"]),
         ", ".join(f"{count} {state}" for state, count in runs["other"].items()) or "–",
         _s(runs["start_lag_p50"]), _s(runs["start_lag_p99"]), _s(runs["done_within"]), _n(round(runs["worker_cpu"])),
         _n(round(runs["postgres_cpu"])))
        for row, runs in found
        if isinstance(runs, dict)
    ]  # fmt: skip
    return markdown([head, *lines]) if lines else ""


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    share = row["cpu_share"]
    edit = _s(row["edit"]) + (f" ({row['edit_by']})" if row["edit_by"] else "")
    return (
        f"{row['scheduler']} {row['version']}", _n(row["schedules"]), f"{row['every']} s", _n(row["minutes"]),
        _n(row["fired"]), _n(row["skipped"]), _n(row["missing"]), _n(row["doubled"]), _s(row["lag_p50"]),
        _s(row["lag_p99"]),
        "–" if row["cpu_per_1000"] is None else f"{row['cpu_per_1000']:.2f}",
        f"{share:.0%}" if isinstance(share, float) else "–", edit,
    )  # fmt: skip


def _n(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _s(value: object) -> str:
    return "–" if value is None else f"{value:.2f} s"
