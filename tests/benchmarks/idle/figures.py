"""The figures that were measured of each process of an idle Norn, and the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from tests.benchmarks.idle.processes import ENGINE, Usage
from tests.benchmarks.tables import markdown

MOST = {0: (250, 1.0), 25: (350, 2.5)}
"""The targets by number of apps: MiB of memory, and percent of a core."""
SUM = "all of Norn"


@dataclass(frozen=True)
class IdleRow:
    """The figures of one process over the complete measurement. `pss_mib` is the mean of all measurements; `cpu` is in
    percent of one core.
    """

    apps: int
    process: str
    processes: int
    pss_mib: float
    cpu: float
    wakeups: float


def rows(apps: int, looks: Sequence[Mapping[str, Usage]], seconds: float) -> list[IdleRow]:
    """Returns a row for each process, the largest first, then a row with the sums of Norn's processes, and a row for
    the engine.
    """
    found = [_row(apps, name, [look[name] for look in looks], seconds) for name in looks[0]]
    own = sorted((row for row in found if row.process != ENGINE), key=lambda row: -row.pss_mib)
    return [*own, _summed(apps, own), *(row for row in found if row.process == ENGINE)]


def _row(apps: int, name: str, looks: Sequence[Usage], seconds: float) -> IdleRow:
    first, last = looks[0], looks[-1]
    return IdleRow(
        apps=apps,
        process=name,
        processes=last.processes,
        pss_mib=round(mean(look.pss_kib for look in looks) / 1024, 1),
        cpu=round((last.cpu - first.cpu) / seconds * 100, 2),
        wakeups=round(last.wakeups_since(first) / seconds, 1),
    )


def _summed(apps: int, own: Sequence[IdleRow]) -> IdleRow:
    return IdleRow(
        apps=apps,
        process=SUM,
        processes=sum(row.processes for row in own),
        pss_mib=round(sum(row.pss_mib for row in own), 1),
        cpu=round(sum(row.cpu for row in own), 2),
        wakeups=round(sum(row.wakeups for row in own), 1),
    )


def table(found: Sequence[IdleRow]) -> str:
    """Returns the rows as a table."""
    head = ("apps", "process", "processes", "PSS", "of one core", "wake-ups/s")
    lines = [
        (
            str(row.apps),
            row.process,
            str(row.processes),
            f"{row.pss_mib:.0f} MiB",
            f"{row.cpu:.2f}%",
            f"{row.wakeups:.1f}",
        )
        for row in found
    ]
    return markdown([head, *lines])


def targets(found: Sequence[IdleRow]) -> list[dict[str, object]]:
    """Returns for each measured number of apps, if it has targets, whether memory and CPU meet them."""
    return [
        {"apps": row.apps, "memory": row.pss_mib <= MOST[row.apps][0], "cpu": row.cpu <= MOST[row.apps][1]}
        for row in found
        if row.process == SUM and row.apps in MOST
    ]
