"""The clusters, engines and runtimes of apps, and the router in front of their replicas."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.domain.setting_values import Memory, Roots
from norn_tasks.settings.group import Seconds, SettingsGroup


class ClusterSettings(SettingsGroup):
    """The settings of clusters and of the router."""

    replica_memory: Memory = Field(
        512 * 1024**2, description="memory of a replica whose spec has no resources.memory, bytes; 0: no limit"
    )
    cluster: str = Field(
        "auto",
        description="cluster of apps that are forged for the first time; auto: kubernetes if it has a namespace",
    )
    kube_namespace: str = Field("", description="namespace of the apps on Kubernetes; empty: no Kubernetes")
    kube_config: Path | None = Field(None, description="kubeconfig; empty: KUBECONFIG, the pod's own, ~/.kube/config")
    kube_context: str = Field("", description="context of the kubeconfig; empty: the one that it names itself")
    kube_images: Literal["registry", "loaded"] = Field(
        "registry", description="loaded: the operator loads images onto the nodes, and none is pulled"
    )
    kube_storage_class: str = Field("", description="StorageClass of volumes; empty: the cluster's default")
    incus_socket: str = Field("", description="socket of an Incus for apps with runtime: incus; empty: no Incus")
    incus_project: str = Field("norn", description="project of Incus that Norn makes and keeps its instances in")
    incus_pool: str = Field("default", description="storage pool of Incus for instances and images")
    incus_bridge: str = Field("norn-runs", description="network of Incus for runs with a network; made when missing")
    incus_init: Path | None = Field(
        None, description="first process of instances; empty: the one that deploy/prepare builds"
    )
    nest: Literal["off", "auto"] = Field(
        "off", description="auto: runs start in the nest, where that passes its trial; off: in Docker"
    )
    engine_memory: Memory = Field(
        0, description="memory for apps on each engine; 0: all but a fifth of what it reports"
    )
    host_paths: Roots = Field((), description="directories that a volume's hostPath may name, separated by colons")
    router_host: str = Field("127.0.0.1", description="address the router listens on")
    router_port_first: int = Field(18800, description="first port the router may give to an app")
    router_port_last: int = Field(19799, description="last port the router may give to an app")
    router_connections: int = Field(4096, ge=1, description="clients' connections open at once at one app's address")
    router_idle_timeout: Seconds = Field(120, description="how long a client may wait before its next request")
    router_head_timeout: Seconds = Field(30, description="how long the head of a request may take from its first byte")

    @property
    def router_address(self) -> str:
        """The router's address for clients on its machine, without a port."""
        host = "127.0.0.1" if self.router_host in ("0.0.0.0", "::", "") else self.router_host  # noqa: S104 - not bound
        return f"http://{f'[{host}]' if ':' in host else host}"

    def place_of_cluster(self, cluster: str | None) -> str | None:
        """Returns HOME for work that has no cluster or belongs to the home engine; None for work on Kubernetes."""
        return HOME if cluster in (None, "docker") else None

    @property
    def cluster_of_rows(self) -> str:
        """The name of the cluster whose replicas are recorded as rows and are ended by Norn itself."""
        return "docker"

    @property
    def cluster_of_new_apps(self) -> str:
        """The cluster of apps that are forged for the first time."""
        if self.cluster != "auto":
            return self.cluster
        return "kubernetes" if self.kube_namespace else "docker"
