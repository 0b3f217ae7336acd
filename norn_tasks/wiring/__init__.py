"""Builds the Tools (the bundle of ports for steps) from the settings; the only package that knows every adapter."""

from norn_tasks.wiring.assembly import tools
from norn_tasks.wiring.clusters import cluster_engines
from norn_tasks.wiring.engines import bridge_addresses, disks, engine_identity, engine_memory, fast_road, places
from norn_tasks.wiring.incus import incus_checks
from norn_tasks.wiring.kubernetes import KUBERNETES, missing_kube_rights, watch_kubernetes
from norn_tasks.wiring.logs import kept_logs, log_collector, pod_log_collector

__all__ = [
    "KUBERNETES",
    "bridge_addresses",
    "cluster_engines",
    "disks",
    "engine_identity",
    "engine_memory",
    "fast_road",
    "incus_checks",
    "kept_logs",
    "log_collector",
    "pod_log_collector",
    "missing_kube_rights",
    "places",
    "tools",
    "watch_kubernetes",
]
