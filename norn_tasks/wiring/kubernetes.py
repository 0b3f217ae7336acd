"""Kubernetes: its API server, the cluster of replicas, and the rights that Norn needs there."""

from __future__ import annotations

import platform
from collections.abc import Callable

from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.adapters.kubernetes.moving.entrances import Entrances
from norn_tasks.adapters.kubernetes.rights import missing
from norn_tasks.adapters.kubernetes.site import ServerVersion, Site
from norn_tasks.adapters.kubernetes.watching.changes import ClusterChanges
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import instance
from norn_tasks.store_adapters.job_leases import JobLeases
from norn_tasks.store_adapters.router_ports import RouterPortTable
from norn_tasks.wiring.images import registries

KUBERNETES = KubernetesCluster.name
"""The name of the cluster on Kubernetes."""


def kube_api(settings: Settings) -> Api:
    """Returns the client of the Kubernetes API server; no request is sent yet."""
    return Api(ClusterAccess(settings.kube_namespace, settings.kube_config, settings.kube_context))


def site_of(settings: Settings, instance: str) -> Site:
    """Returns the facts that the objects on Kubernetes depend on: Norn's namespace, and the limits of a rollout
    there.
    """
    return Site(
        settings.kube_namespace,
        instance,
        ServerVersion(0, 0),
        rollout_timeout=settings.rollout_timeout,
        stay_up=settings.stay_up,
        loaded=settings.kube_images == "loaded",
        storage_class=settings.kube_storage_class,
        machine=platform.machine(),
    )


def kubernetes(settings: Settings, database: Database, instance: str) -> KubernetesCluster:
    """Returns the Kubernetes cluster; no request is sent to it yet."""
    login, site = registries(settings).login_of_nodes, site_of(settings, instance)
    leases = JobLeases(database, settings.self_stop_seconds)
    router = Entrances(router_ports(settings, database), settings.router_address)
    return KubernetesCluster(kube_api(settings), site, leases, login, router)


def router_ports(settings: Settings, database: Database) -> RouterPortTable:
    """Returns the ports of the router."""
    first, last = settings.router_port_first, settings.router_port_last
    return RouterPortTable(database, first, last, settings.self_stop_seconds)


def watch_kubernetes(settings: Settings, database: Database, changed: Callable[[], None]) -> ClusterChanges:
    """Starts to call `changed` after each change of an app on Kubernetes, until the returned object is closed; raises
    DatabaseDown.
    """
    return ClusterChanges(kube_api(settings), instance.name(database), changed)


def missing_kube_rights(settings: Settings) -> tuple[str, ...]:
    """Returns the rights that Norn lacks in its namespace; raises ClusterDown."""
    return missing(kube_api(settings))
