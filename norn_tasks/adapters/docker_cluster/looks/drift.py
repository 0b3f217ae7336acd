"""Compares an app's replicas with their workload, to find changes that somebody made with `docker` commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import policy
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.domain.comparing.drift import Drift, drifts
from norn_tasks.domain.errors import NotFound
from norn_tasks.ports import Workload


def compared(
    engine: EngineClient, instance: str, workload: Workload, replicas: tuple[ReplicaContainer, ...]
) -> tuple[Drift, ...]:
    """Returns the differences in the replicas of the workload's generation, and in their number; raises EngineDown."""
    mine = [each for each in replicas if each.generation == workload.generation and not each.draining]
    number = drifts(f"app {workload.app}", {"replicas": workload.replicas}, {"replicas": len(mine)})
    each = (drift for replica in mine for drift in _of_replica(engine, instance, workload, replica))
    return (*number, *each)


def _of_replica(engine: EngineClient, instance: str, workload: Workload, replica: ReplicaContainer) -> Iterator[Drift]:
    try:
        seen = engine.briefly(lambda client: client.inspect_container(replica.id))
    except NotFound:
        return
    wanted = _wanted(instance, workload, replica)
    yield from drifts(f"replica {replica.name}", wanted, _found(seen))


def _wanted(instance: str, workload: Workload, replica: ReplicaContainer) -> dict[str, Any]:
    """Returns the wanted values of the fields of a container that can change while it runs."""
    return {
        "name": policy.name(workload, replica.index, instance),
        "state": "running",
        "memory": workload.memory or 0,
        "memorySwap": workload.memory or 0,
        "nanoCpus": int((workload.cpus or 0) * 1_000_000_000),
        "pidsLimit": policy.PIDS,
        "restartPolicy": "unless-stopped",
        "networks": [policy.NETWORK],
        "aliases": [workload.internal_host] if workload.port is not None and workload.internal_host else [],
    }


def _found(seen: dict[str, Any]) -> dict[str, Any]:
    host, networks = seen["HostConfig"], seen["NetworkSettings"]["Networks"]
    aliases = (networks.get(policy.NETWORK) or {}).get("Aliases") or []
    own = {seen["Id"][:12], seen["Name"].lstrip("/")}
    return {
        "name": seen["Name"].lstrip("/"),
        "state": seen["State"]["Status"],
        "memory": host.get("Memory") or 0,
        "memorySwap": host.get("MemorySwap") or 0,
        "nanoCpus": host.get("NanoCpus") or 0,
        "pidsLimit": host.get("PidsLimit") or 0,
        "restartPolicy": host["RestartPolicy"]["Name"],
        "networks": sorted(networks),
        "aliases": sorted(each for each in aliases if each not in own),
    }
