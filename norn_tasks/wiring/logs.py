"""Log lines of replicas: the directory that stores them, the collector, and the secrets that are hidden in them."""

from __future__ import annotations

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import DockerCluster
from norn_tasks.adapters.docker_cluster.collecting import LogCollector
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.adapters.kubernetes.collecting import PodLogCollector
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import instance
from norn_tasks.store_adapters.hiding import HiddenSecrets
from norn_tasks.wiring.kubernetes import kube_api


def kept_logs(settings: Settings) -> KeptLogDirectory:
    """Returns the directory of this machine that keeps log lines."""
    limits = KeepLimits(settings.keep_logs, settings.keep_logs_days * 86400)
    clusters = (DockerCluster.name, *((KubernetesCluster.name,) if settings.kube_namespace else ()))
    return KeptLogDirectory(settings.data_dir / "app-logs", limits, settings.disk_accept_free, clusters)


def hiding(settings: Settings, database: Database) -> HiddenSecrets:
    """Returns the secrets that are hidden in log lines."""
    return HiddenSecrets(database, AgeVault(settings.age_key, settings.age_key_path))


def log_collector(settings: Settings, database: Database) -> LogCollector:
    """Builds the collector of the log lines of replicas. Raises DatabaseDown."""
    engine, hidden = EngineClient(settings.engine_address), hiding(settings, database)
    return LogCollector(engine, instance.name(database), kept_logs(settings), hidden)


def pod_log_collector(settings: Settings, database: Database) -> PodLogCollector:
    """Builds the collector of the log lines of pods. Raises DatabaseDown."""
    hidden = hiding(settings, database)
    return PodLogCollector(kube_api(settings), instance.name(database), kept_logs(settings), hidden)
