"""The status of an app, from its containers and rows: how many replicas are wanted, how many serve, and the state of
each.

The wanted number comes from the rows, not from the engine. A replica keeps its row until Norn removes the replica. So a
live generation has as many rows as wanted replicas, even after somebody removed a container. While one generation
replaces another, the wanted number is the larger of their numbers of rows. Replicas that are leaving or draining do not
count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World
from norn_tasks.domain.jobs.app_status import DRAINING, ReplicaStatus, ReplicaUsage, WorkloadStatus
from norn_tasks.domain.jobs.replica import Replica, ReplicaState

NOT_MEASURED: Mapping[str, ReplicaUsage] = MappingProxyType({})


def status(
    app: str, world: World, wanted: int | None = None, usage: Mapping[str, ReplicaUsage] = NOT_MEASURED
) -> WorkloadStatus:
    """Returns the status of an app; without `wanted`, the rows give the wanted number. `usage` is keyed by container
    id.
    """
    rows = [each.row for each in world.replicas if each.row is not None] + list(world.lost)
    wanted = _wanted(rows) if wanted is None else wanted
    missing = sum(row.state == ReplicaState.LIVE for row in world.lost)
    ready = sum(each.well for each in world.replicas)
    present = tuple(each.generation for each in world.replicas if each.live and _there(each) and not each.hung)
    return WorkloadStatus(
        app,
        wanted,
        min(ready, wanted),
        tuple(_replica(each, usage.get(each.id)) for each in sorted(world.replicas, key=_order)),
        f"{missing} {'replica is' if missing == 1 else 'replicas are'} gone from the engine" if missing else "",
        present,
    )


def _there(each: ReplicaContainer) -> bool:
    return each.running or each.state == "restarting"


def _wanted(rows: list[Replica]) -> int:
    there = Counter(row.generation for row in rows if row.state not in (ReplicaState.LEAVING, ReplicaState.DRAINING))
    live = {row.generation for row in rows if row.state == ReplicaState.LIVE}
    return max((there[generation] for generation in live or there), default=0)


def _order(each: ReplicaContainer) -> tuple[int, int]:
    return each.generation, each.index


def _replica(each: ReplicaContainer, usage: ReplicaUsage | None) -> ReplicaStatus:
    if each.draining and each.running and each.row is not None and each.row.until is not None:
        until = each.row.until.isoformat(timespec="seconds")
        return ReplicaStatus(
            each.name, DRAINING, each.release, each.restarts, usage=usage, message=_draining(each.row),
            connections=each.row.connections, until=until,
        )  # fmt: skip
    return ReplicaStatus(each.name, each.state, each.release, each.restarts, _healthy(each), _message(each), usage)


def _draining(row: Replica) -> str:
    number = row.connections
    open_ = "connections are open" if number is None else f"{number} open connection{'s' * (number != 1)}"
    return f"{open_}; it ends at {row.until:%Y-%m-%d %H:%M} UTC at the latest"


def _healthy(each: ReplicaContainer) -> bool | None:
    """Returns True if a live replica is well and has the address in its row; None if the replica is not live: it has
    not passed its gate yet, or it is being removed.
    """
    return each.well and not each.moved if each.live else None


def _message(each: ReplicaContainer) -> str:
    if each.moved:
        return f"it is at {each.address}, and requests go to another address until the next rollout"
    if each.running and each.live and each.row is not None and each.row.unhealthy:
        return f"{each.row.fault}, {each.row.failures} times in a row"
    if each.state in ("running", "created"):
        return "leaving" if each.leaving else ""
    if each.oom_killed:
        return "it used more than its memory and was killed"
    return f"exited {each.exit_code}" if each.state in ("exited", "restarting", "dead") else ""
