"""What was measured of each queue in its turns, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.tables import markdown, percentile


@dataclass(frozen=True)
class QueueTurn:
    """One turn of a queue; costs are of one job, over its acceptance and its run."""

    queue: str
    accepted: float
    drained: float
    wal_bytes: float
    postgres_ms: float
    worker_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(
        cls, queue: str, jobs: int, accepted: float, drained: float, burst: tuple[float, float, float],
        paced: Sequence[float],
    ) -> QueueTurn:  # fmt: skip
        """Returns the turn of so many jobs, which were accepted and drained in these seconds."""
        wal, server, workers = burst
        p50, p95, p99 = (1000 * (percentile(paced, p) or 0.0) for p in (50, 95, 99))
        return cls(
            queue,
            jobs / accepted,
            jobs / drained,
            wal / jobs,
            1000 * server / jobs,
            1000 * workers / jobs,
            p50,
            p95,
            p99,
        )


_FIELDS = ("accepted", "drained", "wal_bytes", "postgres_ms", "worker_ms", "p50_ms", "p95_ms", "p99_ms")


def rows(turns: Sequence[QueueTurn]) -> list[dict[str, object]]:
    """Returns a row for each queue: the median of its turns, and its drained jobs/s as a share of Norn's."""
    found: list[dict[str, object]] = []
    drained = {name: median(turn.drained for turn in turns if turn.queue == name) for name in _names(turns)}
    for name in drained:
        own = [turn for turn in turns if turn.queue == name]
        row = {field: round(median(getattr(turn, field) for turn in own), 2) for field in _FIELDS}
        ratio = round(drained[name] / drained["norn"], 2) if "norn" in drained else None
        found.append({"queue": name, "turns": len(own), **row, "drained_by_norn": ratio})
    return found


def _names(turns: Sequence[QueueTurn]) -> list[str]:
    return list(dict.fromkeys(turn.queue for turn in turns))


HEAD = (
    "queue", "accepted/s", "drained/s", "of Norn's", "WAL bytes", "CPU of PostgreSQL", "CPU of workers",
    "accept to end p50", "p95", "p99",
)  # fmt: skip


def table(turns: Sequence[QueueTurn]) -> str:
    """Returns the rows as a table."""
    return markdown([HEAD, *(_line(row) for row in rows(turns))])


def _line(row: dict[str, object]) -> list[str]:
    value = {field: float(str(row[field])) for field in _FIELDS}
    ratio = row["drained_by_norn"]
    return [
        str(row["queue"]), f"{value['accepted']:.0f}", f"{value['drained']:.0f}",
        "–" if ratio is None else f"{ratio}", f"{value['wal_bytes']:,.0f}", f"{value['postgres_ms']:.2f} ms",
        f"{value['worker_ms']:.2f} ms", *(f"{value[p]:.0f} ms" for p in ("p50_ms", "p95_ms", "p99_ms")),
    ]  # fmt: skip
