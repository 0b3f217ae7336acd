"""Tools: the immutable bundle of ports that steps get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.ports.cluster import Cluster
from norn_tasks.ports.engine import Engine
from norn_tasks.ports.images import Images, RegistryImages
from norn_tasks.ports.kept_logs import KeptLogs
from norn_tasks.ports.live import LiveStreams
from norn_tasks.ports.messenger import Messenger
from norn_tasks.ports.runs import Runtime
from norn_tasks.ports.secret_files import SecretFiles, SopsFormat
from norn_tasks.ports.services import ServiceRecords, SharedServices
from norn_tasks.ports.source import Deploys, Directories, Git, Sources
from norn_tasks.ports.tunnel import Dns, Edge, ExternalHosts, TeamKeys, Tunnel
from norn_tasks.ports.vault import Keyring, SealedRows, Vault
from norn_tasks.ports.volumes import Volumes


@dataclass(frozen=True)
class Limits:
    """Values from the settings that steps need; `instance` is the id of this control plane on engines that several
    share.
    """

    test_timeout: float
    run_memory: int
    run_cpus: float
    engine_patience: float
    workspace: Path
    instance: str
    migrate_timeout: float = 1800.0
    """The seconds that a migration may take."""
    replica_memory: int | None = None
    """The bytes of memory of a replica whose spec sets no memory; None for no limit."""
    stream_timeout: int = 0
    """The seconds for which a replaced replica may keep its open connections, if its spec does not say that."""
    door: str | None = None
    """The address at which the router serves all public names; None if it does not."""


@dataclass(frozen=True)
class Tools:
    """The ports as a step gets them, without access to the database. `engines` and `runtimes` are by name."""

    git: Git
    directories: Directories
    sources: Sources
    deploys: Deploys
    images: Images
    registry_images: RegistryImages
    clusters: Mapping[str, Cluster]
    """The clusters of this worker, by name."""
    engines: Mapping[str, Engine]
    runtimes: Mapping[str, Runtime]
    volumes: Volumes
    limits: Limits
    live: LiveStreams
    logs: KeptLogs
    """The stored log lines of replicas."""
    vault: Vault
    keyring: Keyring
    sealed_rows: SealedRows
    sops: SopsFormat
    secret_files: SecretFiles
    messenger: Messenger
    tunnel: Tunnel
    dns: Dns
    edge: Edge
    hosts: ExternalHosts
    services: SharedServices
    records: ServiceRecords
    """The records of the parts that apps were given."""
    team_keys: TeamKeys | None = None
    """The keys of the team of Cloudflare Access; None if the API does not use Access."""
