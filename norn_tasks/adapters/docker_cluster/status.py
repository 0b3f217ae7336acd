"""What a look at an app's containers and rows says of it: how many there should be, how many serve, and each one.

The engine does not know how many are wanted, the rows do: a replica keeps its row until it is meant to go, so the rows
of a live generation are the wanted number, also when a container was taken away by hand. While one generation takes
over from another it is the number of the larger one.
"""

from __future__ import annotations

from collections import Counter

from norn_tasks.adapters.docker_cluster.world import Seen, World
from norn_tasks.domain.app_status import ReplicaStatus, WorkloadStatus
from norn_tasks.domain.replica import Replica, ReplicaState


def status(app: str, world: World, wanted: int | None = None) -> WorkloadStatus:
    """Sums an app up; `wanted` is told by who knows it, and else read from the rows."""
    rows = [each.row for each in world.replicas if each.row is not None] + list(world.lost)
    wanted = _wanted(rows) if wanted is None else wanted
    missing = sum(row.state == ReplicaState.LIVE for row in world.lost)
    ready = sum(each.live and each.running for each in world.replicas)
    present = tuple(each.generation for each in world.replicas if each.live and _there(each))
    return WorkloadStatus(
        app,
        wanted,
        min(ready, wanted),
        tuple(_replica(each) for each in sorted(world.replicas, key=_order)),
        f"{missing} {'replica is' if missing == 1 else 'replicas are'} gone from the engine" if missing else "",
        present,
    )


def _there(each: Seen) -> bool:
    return each.running or each.state == "restarting"


def _wanted(rows: list[Replica]) -> int:
    there = Counter(row.generation for row in rows if row.state != ReplicaState.LEAVING)
    live = {row.generation for row in rows if row.state == ReplicaState.LIVE}
    return max((there[generation] for generation in live or there), default=0)


def _order(each: Seen) -> tuple[int, int]:
    return each.generation, each.index


def _replica(each: Seen) -> ReplicaStatus:
    return ReplicaStatus(each.name, each.state, each.release, each.restarts, _healthy(each), _message(each))


def _healthy(each: Seen) -> bool | None:
    """None while it is not live: nobody has judged it yet, or nobody asks any more."""
    return each.running and not each.moved if each.live else None


def _message(each: Seen) -> str:
    if each.moved:
        return f"it is at {each.address}, and requests go to another address until the next rollout"
    if each.state in ("running", "created"):
        return "leaving" if each.leaving else ""
    if each.oom_killed:
        return "it used more than its memory and was killed"
    return f"exited {each.exit_code}" if each.state in ("exited", "restarting", "dead") else ""
