"""The clusters of a worker."""

from __future__ import annotations

from collections.abc import Mapping

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import DockerCluster
from norn_tasks.adapters.docker_cluster.collecting import LastLines
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.ports import Cluster
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store_adapters.replicas import ReplicaTable
from norn_tasks.wiring.engines import places
from norn_tasks.wiring.kubernetes import kubernetes, router_ports
from norn_tasks.wiring.logs import hiding, kept_logs


def clusters(settings: Settings, database: Database, engine: EngineClient, instance: str) -> tuple[Cluster, ...]:
    """Returns the clusters of a worker: Docker, and Kubernetes if the settings name a namespace there."""
    patience = settings.self_stop_seconds
    last = LastLines(engine, kept_logs(settings), hiding(settings, database))
    docker = DockerCluster(
        engine,
        ReplicaTable(database, patience=patience),
        router_ports(settings, database),
        router=settings.router_address,
        instance=instance,
        rollout_timeout=settings.rollout_timeout,
        drain_timeout=settings.drain_timeout,
        stay_up=settings.stay_up,
        keep_lines=last.keep,
    )
    return (docker, kubernetes(settings, database, instance)) if settings.kube_namespace else (docker,)


def cluster_engines(settings: Settings) -> Mapping[str, str | None]:
    """Returns a worker's clusters by name, each with the name of the engine that has its replicas, or None for
    Kubernetes.
    """
    docker: dict[str, str | None] = {DockerCluster.name: next(iter(places(settings)[0]))}
    return docker | {KubernetesCluster.name: None} if settings.kube_namespace else docker
