"""The figures of each proxy with each kind of request: medians over the rounds, and the targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tests.benchmarks.router.load import Load
from tests.benchmarks.tables import markdown

NGINX_RATIO = 1.2
"""The target: the CPU time of Norn's router per request is at most this many times that of nginx."""


@dataclass(frozen=True)
class Stretch:
    """One turn of one proxy with one kind of request. `cpu` is the CPU time of the proxy in seconds."""

    proxy: str
    kind: str
    load: Load
    cpu: float

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time for each request."""
        return self.cpu * 1e6 / max(1, self.load.requests)


@dataclass(frozen=True)
class Row:
    """A proxy with a kind of request, over all rounds; latencies in milliseconds."""

    kind: str
    proxy: str
    requests: int
    failed: int
    per_second: int
    p50_ms: float
    p99_ms: float
    cpu_us: float

    @classmethod
    def of(cls, stretches: Sequence[Stretch]) -> Row:
        """Returns the medians of some stretches of the same proxy and kind."""
        first, loads = stretches[0], [stretch.load for stretch in stretches]
        return cls(
            kind=first.kind,
            proxy=first.proxy,
            requests=sum(load.requests for load in loads),
            failed=sum(load.failed for load in loads),
            per_second=round(median(load.requests / load.seconds for load in loads)),
            p50_ms=round(median(load.p50 for load in loads) / 1000, 2),
            p99_ms=round(median(load.p99 for load in loads) / 1000, 2),
            cpu_us=round(median(stretch.cpu_us for stretch in stretches), 1),
        )


def rows(stretches: Iterable[Stretch]) -> list[Row]:
    """Returns a row for each kind and proxy, in the order in which they were measured first."""
    sorted_: dict[tuple[str, str], list[Stretch]] = {}
    for stretch in stretches:
        sorted_.setdefault((stretch.kind, stretch.proxy), []).append(stretch)
    return [Row.of(same) for same in sorted_.values()]


def table(found: Sequence[Row]) -> str:
    """Returns the rows as a table."""
    head = ("requests", "proxy", "requests/s", "p50", "p99", "CPU per request", "failed")
    lines = [
        (
            row.kind,
            row.proxy,
            f"{row.per_second:,}",
            f"{row.p50_ms:.2f} ms",
            f"{row.p99_ms:.2f} ms",
            f"{row.cpu_us:.0f} µs",
            str(row.failed),
        )
        for row in found
    ]
    return markdown([head, *lines])


def targets(found: Sequence[Row]) -> list[dict[str, object]]:
    """Returns for each kind of request the ratio of the CPU time of Norn's router to that of each other proxy, and
    whether the targets are met.
    """
    cpu = {(row.kind, row.proxy): row.cpu_us for row in found}
    compared = []
    for kind in dict.fromkeys(row.kind for row in found):
        ratios = {proxy: round(cpu[kind, "norn"] / cpu[kind, proxy], 2) for of, proxy in cpu if of == kind}
        compared.append(
            {
                "kind": kind,
                "below_caddy": ratios["caddy"] < 1,
                "within_nginx": ratios["nginx"] <= NGINX_RATIO,
                "ratios": {proxy: ratio for proxy, ratio in ratios.items() if proxy != "norn"},
            }
        )
    return compared


def as_json(found: Sequence[Row]) -> list[dict[str, object]]:
    """Returns the rows as they are printed in the last line, the JSON object."""
    return [asdict(row) for row in found]
