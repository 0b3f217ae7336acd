"""Builds the Tools from the settings; the only module that knows every adapter."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.config_map import ConfigMapRules
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.route_command import RouteCommand
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.adapters.cloudflare.team_keys import PublishedTeamKeys
from norn_tasks.adapters.cloudflare.without import NoDns, NoTunnel
from norn_tasks.adapters.docker import networks, runs_reach
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.disk import EngineDisks
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker.images import BuildLimits, DockerImages
from norn_tasks.adapters.docker.registry import Registries, Registry
from norn_tasks.adapters.docker.registry_images import DockerRegistryImages
from norn_tasks.adapters.docker.volumes import DockerVolumes
from norn_tasks.adapters.docker_cluster import DockerCluster, addresses
from norn_tasks.adapters.docker_cluster.collecting import LastLines, LogCollector
from norn_tasks.adapters.edge.caddy import CaddyEdge
from norn_tasks.adapters.edge.without import NoEdge
from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.checks import checks
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.images import IncusImages
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.adapters.kubernetes.rights import missing
from norn_tasks.adapters.kubernetes.site import ServerVersion, Site
from norn_tasks.adapters.kubernetes.watching.changes import ClusterChanges
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.adapters.kubernetes_jobs.runtime import KubernetesRuntime
from norn_tasks.adapters.nest.assembly import engine_with_nest, nest_or_none, two_roads
from norn_tasks.adapters.notifications.mail import Mail
from norn_tasks.adapters.notifications.sender import Sender
from norn_tasks.adapters.outgoing import Outgoing
from norn_tasks.adapters.runtimes import runtimes
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.adapters.runtimes.noop import engines_instead_of, instead_of
from norn_tasks.adapters.services import Dumps, GivenServer, LocalServer, Server, SharedServers, postgres, valkey
from norn_tasks.adapters.services.local import programs
from norn_tasks.adapters.sops import SopsFiles
from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.adapters.sources.git import GitCommand
from norn_tasks.adapters.sources.uploads import UnpackedUploads
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import Intake
from norn_tasks.domain.alerting.mail_server import mail_server
from norn_tasks.domain.disk import Least, Space
from norn_tasks.domain.jobs.execution import RUN_CPUS, RUN_MEMORY
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import ServiceKind, dump_directories
from norn_tasks.domain.tunnel.team_keys import issuer_of
from norn_tasks.ports import Cluster, Dns, Edge, Engine, ExternalHosts, FastRoad, Limits, Runtime, Tools, Tunnel
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import instance
from norn_tasks.store_adapters.build_queue import BuildQueueRows
from norn_tasks.store_adapters.deploys import RequestedDeploys
from norn_tasks.store_adapters.external_hosts import ExternalHostTable
from norn_tasks.store_adapters.hiding import HiddenSecrets
from norn_tasks.store_adapters.internal_names import InternalNames
from norn_tasks.store_adapters.job_leases import JobLeases
from norn_tasks.store_adapters.live_streams import BrokerStreams
from norn_tasks.store_adapters.outbox import DeliveryOutbox
from norn_tasks.store_adapters.replicas import ReplicaTable
from norn_tasks.store_adapters.repository_logins import RepositoryLogins
from norn_tasks.store_adapters.router_ports import RouterPortTable
from norn_tasks.store_adapters.secrets.files import SecretFileTable
from norn_tasks.store_adapters.secrets.sealed import SealedTables
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from norn_tasks.store_adapters.uploads import UploadTable

KUBERNETES = KubernetesCluster.name
"""The name of the cluster on Kubernetes."""


def _build_limits(settings: Settings) -> BuildLimits:
    least = Least(settings.disk_build_free, settings.disk_build_percent)
    return BuildLimits(
        settings.build_timeout,
        settings.build_memory,
        settings.build_cpus,
        least,
        settings.build_cache_max,
        largest=settings.image_max,
        classic=settings.builder == "classic",
    )


def engine_identity(settings: Settings) -> Callable[[], str]:
    """Returns a function that asks the engine with the images for its id."""
    engines, _ = places(settings)
    return next(iter(engines.values())).identity


def places(settings: Settings) -> tuple[dict[str, Engine], dict[str, Runtime]]:
    """Returns the engines and the runtimes of a worker, by name; the first engine is the one that has the images."""
    docker = DockerEngine(EngineClient(settings.engine_address, timeout=5))
    return _engines(settings, docker), _runtimes(settings, docker, tuple)


def disks(settings: Settings) -> Callable[[], tuple[Space, ...]]:
    """Returns a function that measures how much room this worker's disks have; it raises EngineDown."""
    engine = EngineClient(settings.engine_address, timeout=5)
    return EngineDisks(engine, settings.data_dir / "work").look


def engine_memory(settings: Settings) -> Callable[[], int]:
    """Returns a function that asks how much memory the engine has for apps; it returns 0 where nothing runs on it."""
    if settings.engine_memory or (settings.noop_runtime and settings.test_build):
        return lambda: settings.engine_memory
    return EngineClient(settings.engine_address, timeout=5).memory_for_apps


def _engines(settings: Settings, docker: DockerEngine) -> dict[str, Engine]:
    real: dict[str, Engine] = {docker.name: docker}
    if settings.nest == "auto":
        real[docker.name] = engine_with_nest(docker, settings.data_dir)
    if settings.incus_socket:
        real[IncusEngine.name] = incus_engine(settings, docker.instance)
    if settings.kube_namespace:
        real[KubernetesJobs.name] = KubernetesJobs(kube_api(settings), docker.instance)
    return engines_instead_of(real, wanted=settings.noop_runtime, test_build=settings.test_build)


def _runtimes(settings: Settings, docker: DockerEngine, names: Callable[[], tuple[str, ...]]) -> dict[str, Runtime]:
    real = runtimes(docker, names)
    if settings.nest == "auto":
        real[DockerRuntime.name] = two_roads(docker, settings.data_dir, names)
    if settings.incus_socket:
        real[IncusRuntime.name] = incus_runtime(settings, docker)
    if settings.kube_namespace:
        jobs = KubernetesJobs(kube_api(settings), docker.instance)
        site, login = _site(settings, docker.instance), _registries(settings).login_of_nodes
        real[KubernetesRuntime.name] = KubernetesRuntime(jobs, site, login)
    return instead_of(real, wanted=settings.noop_runtime, test_build=settings.test_build)


def fast_road(settings: Settings, database: Database) -> FastRoad | None:
    """Returns the nest of this machine; None where runs do not use it. Raises DatabaseDown, EngineDown."""
    docker = DockerEngine(EngineClient(settings.engine_address), instance.name(database))
    return nest_or_none(docker, settings.data_dir, wanted=settings.nest == "auto")


def incus_engine(settings: Settings, instance: str = "") -> IncusEngine:
    """Returns the Incus that the settings name; it is not asked anything yet."""
    return IncusEngine(IncusApi(settings.incus_socket, settings.incus_project), instance)


def incus_runtime(settings: Settings, docker: DockerEngine) -> IncusRuntime:
    """Returns the runtime on the Incus of the settings; its images come from a Docker engine."""
    engine, workspace = incus_engine(settings, docker.instance), settings.data_dir / "work"
    images = IncusImages(
        engine.api, docker.client, settings.incus_init, pool=settings.incus_pool, instance=docker.instance,
        workspace=workspace if workspace.is_dir() else None,
    )  # fmt: skip
    return IncusRuntime(engine, images, Bridge(engine.api, settings.incus_bridge), settings.incus_pool)


def incus_checks(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields sentences about the Incus that the settings name, each with a hint if something is missing."""
    api = IncusApi(settings.incus_socket, settings.incus_project, timeout=5)
    return checks(api, settings.incus_pool, settings.incus_bridge, settings.incus_init)


def _limits(settings: Settings, instance: str) -> Limits:
    return Limits(
        test_timeout=settings.test_timeout,
        migrate_timeout=settings.migrate_timeout,
        run_memory=RUN_MEMORY,
        run_cpus=RUN_CPUS,
        engine_patience=settings.engine_patience,
        workspace=settings.data_dir / "work",
        instance=instance,
        replica_memory=settings.replica_memory or None,
        door=settings.door_address,
    )


def cluster_engines(settings: Settings) -> Mapping[str, str | None]:
    """Returns a worker's clusters by name, each with the engine of its replicas, or None for machines of its own."""
    docker: dict[str, str | None] = {DockerCluster.name: next(iter(places(settings)[0]))}
    return docker | {KubernetesCluster.name: None} if settings.kube_namespace else docker


def kube_api(settings: Settings) -> Api:
    """Returns the API server of the Kubernetes cluster; it is not asked anything yet."""
    return Api(ClusterAccess(settings.kube_namespace, settings.kube_config, settings.kube_context))


def watch_kubernetes(settings: Settings, database: Database, changed: Callable[[], None]) -> ClusterChanges:
    """Calls `changed` after each change of an app on Kubernetes; raises DatabaseDown."""
    return ClusterChanges(kube_api(settings), instance.name(database), changed)


def missing_kube_rights(settings: Settings) -> tuple[str, ...]:
    """Returns the rights that Norn lacks in its namespace; raises ClusterDown."""
    return missing(kube_api(settings))


def _site(settings: Settings, instance: str) -> Site:
    return Site(
        settings.kube_namespace,
        instance,
        ServerVersion(0, 0),
        rollout_timeout=settings.rollout_timeout,
        stay_up=settings.stay_up,
        loaded=settings.kube_images == "loaded",
        storage_class=settings.kube_storage_class,
    )


def _kubernetes(settings: Settings, database: Database, instance: str) -> KubernetesCluster:
    login, site = _registries(settings).login_of_nodes, _site(settings, instance)
    return KubernetesCluster(kube_api(settings), site, JobLeases(database, settings.self_stop_seconds), login)


def _registries(settings: Settings) -> Registries:
    return Registries(Registry.at(settings.registry_url, settings.registry_config), settings.registry_config)


def kept_logs(settings: Settings) -> KeptLogDirectory:
    """Returns the kept log lines of this machine."""
    limits = KeepLimits(settings.keep_logs, settings.keep_logs_days * 86400)
    return KeptLogDirectory(settings.data_dir / "app-logs", limits, settings.disk_accept_free, (DockerCluster.name,))


def _hiding(settings: Settings, database: Database) -> HiddenSecrets:
    return HiddenSecrets(database, AgeVault(settings.age_key, settings.age_key_path))


def log_collector(settings: Settings, database: Database) -> LogCollector:
    """Builds the collector of the log lines of replicas. Raises DatabaseDown."""
    engine, hiding = EngineClient(settings.engine_address), _hiding(settings, database)
    return LogCollector(engine, instance.name(database), kept_logs(settings), hiding)


def _clusters(settings: Settings, database: Database, engine: EngineClient, instance: str) -> tuple[Cluster, ...]:
    patience = settings.self_stop_seconds
    last = LastLines(engine, kept_logs(settings), _hiding(settings, database))
    docker = DockerCluster(
        engine,
        ReplicaTable(database, patience=patience),
        RouterPortTable(database, settings.router_port_first, settings.router_port_last, patience),
        router=settings.router_address,
        instance=instance,
        rollout_timeout=settings.rollout_timeout,
        drain_timeout=settings.drain_timeout,
        stay_up=settings.stay_up,
        keep_lines=last.keep,
    )
    return (docker, _kubernetes(settings, database, instance)) if settings.kube_namespace else (docker,)


def way_in(settings: Settings, hosts: ExternalHosts, instance: str) -> tuple[Tunnel, Dns]:
    """Returns the tunnel and its DNS that the operator chose, or stand-ins for a server without a tunnel."""
    if not settings.cloudflare_config_map:
        return _remote(settings, hosts, instance) if settings.cloudflare_api_token else (NoTunnel(hosts), NoDns(hosts))
    namespace, _, name = settings.cloudflare_config_map.partition("/")
    rules = ConfigMapRules(Api(ClusterAccess(namespace, settings.kube_config, settings.kube_context)), name)
    if settings.cloudflare_api_token:
        return KeptRules(rules, hosts), _remote(settings, hosts, instance)[1]
    tunnel = settings.cloudflare_tunnel
    command = RouteCommand(hosts, settings.cloudflared, lambda: tunnel or rules.tunnel, settings.cloudflare_cert)
    return KeptRules(rules, hosts), command


def public_edge(settings: Settings, hosts: ExternalHosts, instance: str) -> Edge:
    """Returns the edge of this machine; a stand-in if there is none, or if a tunnel serves the public names."""
    if not settings.has_edge or settings.has_tunnel:
        return NoEdge()
    return CaddyEdge(
        hosts, instance, settings.edge_http_port, settings.edge_https_port, settings.edge_dir,
        public=settings.edge_issuer != "internal",
    )  # fmt: skip


def _remote(settings: Settings, hosts: ExternalHosts, instance: str) -> tuple[KeptRules, ZoneRecords]:
    client = CloudflareClient(Secret(settings.cloudflare_api_token), settings.cloudflare_url)
    named = TunnelSite(settings.cloudflare_account, settings.cloudflare_tunnel)
    site = named.or_of(settings.cloudflare_tunnel_token)
    return KeptRules(RemoteRules(client, site), hosts), ZoneRecords(client, site, hosts, instance)


def tools(
    settings: Settings, database: Database, live: Live, wake: Callable[[JobClass], object] = lambda _: None
) -> Tools:
    """Builds the tools that the settings describe; `wake` wakes the workers of a class. Raises DatabaseDown."""
    engine = EngineClient(settings.engine_address)
    name = instance.name(database)
    docker = DockerEngine(engine, name)
    tunnel, dns = way_in(settings, hosts := ExternalHostTable(database, settings.self_stop_seconds), name)
    workspace, vault = settings.data_dir / "work", AgeVault(settings.age_key, settings.age_key_path)
    queue = BuildQueueRows(database, engine_identity(settings), wake)
    return Tools(
        git=_git(settings, RepositoryLogins(database, vault)),
        deploys=RequestedDeploys(Intake(database, settings, Waker(settings.broker_url), live)),
        directories=LocalDirectories(most=settings.source_max),
        sources=UnpackedUploads(UploadTable(database), most=settings.source_max),
        images=DockerImages(engine, workspace, _build_limits(settings), queue, registry=_registries(settings).own),
        registry_images=DockerRegistryImages(engine, workspace, _build_limits(settings), _registries(settings), name),
        clusters={each.name: each for each in _clusters(settings, database, engine, name)},
        engines=_engines(settings, docker),
        runtimes=_runtimes(settings, docker, InternalNames(database)),
        volumes=DockerVolumes(engine, name, settings.host_paths),
        limits=_limits(settings, name),
        live=BrokerStreams(live),
        logs=kept_logs(settings),
        vault=vault,
        keyring=vault,
        sealed_rows=SealedTables(database, settings.self_stop_seconds),
        sops=SopsFiles(vault.unwrap),
        secret_files=SecretFileTable(database, settings.apps_dir, settings.self_stop_seconds),
        messenger=_sender(settings, DeliveryOutbox(database, name), vault),
        tunnel=tunnel,
        dns=dns,
        edge=public_edge(settings, hosts, name),
        hosts=hosts,
        services=SharedServers(service_servers(settings), name, _dumps(settings)),
        records=ServiceRecordTable(database, settings.self_stop_seconds),
        team_keys=PublishedTeamKeys(issuer_of(settings.access_team)) if settings.access_team else None,
    )


def bridge_addresses(settings: Settings) -> tuple[str, ...]:
    """Returns the machine's addresses on the networks of replicas and of runs; makes a network that is missing."""
    engine = EngineClient(settings.engine_address, timeout=5)
    replicas = addresses.gateway(addresses.ensure(engine))
    runs = runs_reach.address_of(networks.ensure(engine, networks.RUNS, talk=False))
    return replicas, runs.partition("/")[0]


def service_servers(settings: Settings) -> Mapping[ServiceKind, Server]:
    """Returns the servers of apps' services: those of the operator, else those that norn up runs."""
    keys = _keys(settings)
    events = GivenServer(settings.services_events_url, settings.services_events_address)
    return {
        ServiceKind.POSTGRES: _databases(settings),
        ServiceKind.KV: keys,
        ServiceKind.EVENTS: events if events.url else keys,
    }


def _dumps(settings: Settings) -> Dumps:
    places = dump_directories(settings.data_dir, settings.database_backups)
    return Dumps(places, lambda: programs(settings.services_dir))


def _databases(settings: Settings) -> Server:
    if settings.services_postgres_url:
        return GivenServer(settings.services_postgres_url, settings.services_postgres_address)
    setting = "NORN_SERVICES_POSTGRES_URL"
    return LocalServer(settings.services_dir, "postgres", "PostgreSQL", setting, postgres.answers)


def _keys(settings: Settings) -> Server:
    if settings.services_kv_url:
        return GivenServer(settings.services_kv_url, settings.services_kv_address)
    return LocalServer(settings.services_dir, "kv", "key-value server", "NORN_SERVICES_KV_URL", valkey.answers)


def _git(settings: Settings, logins: RepositoryLogins) -> GitCommand:
    return GitCommand(
        allow_private=settings.git_private,
        timeout=settings.clone_timeout,
        most=settings.source_max,
        ca=settings.git_ca,
        logins=logins,
    )


def _sender(settings: Settings, outbox: DeliveryOutbox, vault: AgeVault) -> Sender:
    outgoing = Outgoing(private=settings.outgoing_private)
    mail = None
    if settings.smtp_url and settings.smtp_from:
        mail = Mail(mail_server(settings.smtp_url), settings.smtp_from, outgoing)
    server = settings.server_name or socket.gethostname()
    return Sender(outbox, vault, outgoing, deadman_url=settings.deadman_url, mail=mail, server=server)
