"""Checks the health of all live replicas at the same time, with the same check that each had to pass at its gate."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from norn_tasks.adapters.docker_cluster import probe
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World
from norn_tasks.domain.jobs.replica import Replica, ReplicaSighting

_AT_ONCE = 32
_EARLY = 5.0
"""Seconds by which a check may come before its interval is over, because observations are not exactly punctual."""


class _NeverStopped:
    """A stop that is never set, for work that always ends soon by itself."""

    reason: str | None = None

    def check(self) -> None:
        """Returns immediately."""

    def wait(self, seconds: float) -> bool:
        """Returns immediately."""
        return False


def checked(worlds: Iterable[World]) -> tuple[World, ...]:
    """Checks each live replica that is due, and returns the worlds (replicas and rows of apps) with the results in the
    replicas' rows.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [[pool.submit(_checked, each) for each in world.replicas] for world in worlds]
        known = list(worlds)
        return tuple(
            replace(world, replicas=tuple(each.result() for each in answers))
            for world, answers in zip(known, asked, strict=True)
        )


def sightings(world: World) -> tuple[ReplicaSighting, ...]:
    """Returns what this observation found out about each live replica."""
    return tuple(_sighting(each, each.row) for each in world.replicas if each.live and each.row is not None)


def _checked(each: ReplicaContainer) -> ReplicaContainer:
    row = each.row
    if row is None or row.health is None or not (each.live and each.running and row.address) or not _due(row):
        return each
    port = int(row.address.rpartition(":")[2])
    knock = probe.check(each.ip, port, row.health, _NeverStopped())
    if knock.well:
        return replace(each, checked=True, row=replace(row, failures=0, fault="", silent=False))
    found = f"its port {port} accepts no connection"
    fault = f"GET {row.health.path} {knock.word}" if knock.word is not None else found
    return replace(
        each, checked=True, row=replace(row, failures=row.failures + 1, fault=fault, silent=not knock.answered)
    )


def _due(row: Replica) -> bool:
    assert row.health is not None
    return row.unchecked is None or row.unchecked >= row.health.interval - _EARLY


def _sighting(each: ReplicaContainer, row: Replica) -> ReplicaSighting:
    return ReplicaSighting(each.id, each.restarts, each.checked, row.failures, row.fault, row.silent, row.unhealthy)
