"""Assembles the Tools of steps from the parts that the other modules here build."""

from __future__ import annotations

import socket
from collections.abc import Callable

from norn_tasks.adapters.cloudflare.team_keys import PublishedTeamKeys
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker.images import DockerImages
from norn_tasks.adapters.docker.registry_images import DockerRegistryImages
from norn_tasks.adapters.docker.volumes import DockerVolumes
from norn_tasks.adapters.notifications.mail import Mail
from norn_tasks.adapters.notifications.sender import Sender
from norn_tasks.adapters.outgoing import Outgoing
from norn_tasks.adapters.services import SharedServers
from norn_tasks.adapters.sops import SopsFiles
from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.adapters.sources.git import GitCommand
from norn_tasks.adapters.sources.uploads import UnpackedUploads
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import Intake
from norn_tasks.domain.alerting.mail_server import mail_server
from norn_tasks.domain.jobs.execution import RUN_CPUS, RUN_MEMORY
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.tunnel.team_keys import issuer_of
from norn_tasks.ports import Limits, Tools
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import instance
from norn_tasks.store_adapters.build_queue import BuildQueueRows
from norn_tasks.store_adapters.deploys import RequestedDeploys
from norn_tasks.store_adapters.external_hosts import ExternalHostTable
from norn_tasks.store_adapters.internal_names import InternalNames
from norn_tasks.store_adapters.live_streams import BrokerStreams
from norn_tasks.store_adapters.outbox import DeliveryOutbox
from norn_tasks.store_adapters.repository_logins import RepositoryLogins
from norn_tasks.store_adapters.secrets.files import SecretFileTable
from norn_tasks.store_adapters.secrets.sealed import SealedTables
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from norn_tasks.store_adapters.uploads import UploadTable
from norn_tasks.wiring.clusters import clusters
from norn_tasks.wiring.engines import engine_identity, engines_of, runtimes_of
from norn_tasks.wiring.images import build_limits, registries
from norn_tasks.wiring.logs import kept_logs
from norn_tasks.wiring.public import public_edge, way_in
from norn_tasks.wiring.services import dumps, service_servers


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
        images=DockerImages(engine, workspace, build_limits(settings), queue, registry=registries(settings).own),
        registry_images=DockerRegistryImages(engine, workspace, build_limits(settings), registries(settings), name),
        clusters={each.name: each for each in clusters(settings, database, engine, name)},
        engines=engines_of(settings, docker),
        runtimes=runtimes_of(settings, docker, InternalNames(database)),
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
        services=SharedServers(service_servers(settings), name, dumps(settings)),
        records=ServiceRecordTable(database, settings.self_stop_seconds),
        team_keys=PublishedTeamKeys(issuer_of(settings.access_team)) if settings.access_team else None,
    )


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
        stream_timeout=settings.stream_timeout,
        door=settings.door_address,
    )


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
