"""Every environment variable that Norn's server side reads, with its type, meaning, unit and default.

`load()` is called once when a process starts (wsgi, worker, beat, router, `norn up`); the settings are frozen and
handed down as an argument. The CLI's own variables (`NORN_URL`, `NORN_TOKEN`, `NORN_APP`) are in `norn_cli.config`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.domain.services import BackupDirectory, ServiceKind
from norn_tasks.domain.setting_values import (
    Memory,
    Roots,
    ScopeWord,
    Team,
    default_data_dir,
    host_and_port,
    issuer_of_certificates,
    mail_address,
    mail_server_url,
    postgres_url,
    redis_url,
)

PREFIX = "NORN_"
_LEAST_BUILD = 512 * 1024**2


Seconds = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """All settings; each field `x` is read from `NORN_X`. One with `repr=False` may hold a secret, and is not shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Directories, databases and addresses
    data_dir: Path = Field(default_factory=default_data_dir, description="directory of everything Norn keeps")
    database_url: str = Field("", repr=False, description="PostgreSQL 15 or later; empty: the embedded server")
    database_listen_url: str = Field(
        "", repr=False, description="PostgreSQL itself, if the database URL leads to a pooler"
    )
    database_connections: int = Field(
        20, ge=4, description="connections to PostgreSQL that the jobs or requests of one process share"
    )
    broker_url: str = Field(
        "", repr=False, description="Redis-protocol broker; empty: the embedded one of the data directory"
    )
    apps_dir: Path | None = Field(None, description="directory whose subdirectories with an infraspec.yaml are apps")
    registry_url: str = Field(
        "", repr=False, description="registry through which engines share images; empty: one engine only"
    )
    registry_config: Path | None = Field(
        None, description="docker's config.json with the credentials of registries, also of apps' own"
    )
    docker_host: str = Field("", description="engine address; empty: DOCKER_HOST, else unix:///var/run/docker.sock")

    age_key_file: Path | None = Field(None, description="file of the private key that opens secrets")
    age_key: str = Field("", repr=False, description="that key itself, for a worker that has no file")

    # The API
    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8800, ge=1, le=65535, description="port the API listens on")
    auth: Literal["on", "off"] = Field("on", description="off: requests need no token; refused unless host is loopback")
    metrics: Literal["token", "open"] = Field("token", description="open: /metrics asks for no token; loopback only")
    session_days: Days = Field(7, description="days after which the page asks to sign in again")
    api_workers: int = Field(1, ge=1, le=16, description="API processes that share one port")
    max_waiting: int = Field(400, ge=1, description="synchronous calls that may wait at once in one API process")
    fn_host: str = Field("", pattern=r"^[\w.-]*$", description="host name that serves functions, and nothing else")
    open_calls_per_second: int = Field(10, ge=1, description="calls a second from one address without a token")
    calls_waiting: int = Field(100, ge=1, description="synchronous calls of one function that may wait to begin")
    async_waiting: int = Field(1000, ge=1, description="asynchronous calls of one function that may wait to begin")
    max_streams: int = Field(150, ge=1, description="event and log streams open at once in one API process")
    json_max: Memory = Field(1024 * 1024, description="largest JSON request body, bytes")
    webhook_max: Memory = Field(25 * 1024 * 1024, description="largest delivery of a webhook of a repository, bytes")
    api_key_file: Path | None = Field(None, description="key with which the API seals the secrets of webhooks")

    # The ledger
    lease_seconds: Seconds = Field(30, description="a claim is kept this long after its last heartbeat")
    heartbeat_seconds: Seconds = Field(10, description="between two heartbeats of a running job")
    self_stop_seconds: Seconds = Field(20, description="a job whose heartbeat fails this long stops itself")
    max_claims: int = Field(5, ge=1, description="workers that may take one job before it is dead")
    async_patience: Seconds = Field(900, description="how long an asynchronous call may wait to begin")
    job_patience: Seconds = Field(86400, description="how long any other job may wait to begin")
    engine_patience: Seconds = Field(60, description="how long a job waits for an engine that does not answer")

    # Workers: how many jobs of a class one worker process runs at once
    workers_invoke: int = Field(32, ge=1, description="function calls at once per invoke worker")
    workers_cron: int = Field(16, ge=1, description="cron runs at once per cron worker")
    workers_deploy: int = Field(
        4, ge=1, description="changes of apps at once per deploy worker; half of them may be deploys"
    )
    workers_observe: int = Field(8, ge=1, description="looks at engine and cluster at once per observe worker")

    # Building, testing, rolling out
    build_memory: Memory = Field(2 * 1024**3, description="memory of one image build, bytes")
    build_cpus: float = Field(1.5, gt=0, description="cores of one image build")
    builder: Literal["auto", "classic"] = Field("auto", description="classic: the builder that enforces the limits")
    build_cache_max: Memory = Field(10 * 1024**3, description="the builder's cache above which it is trimmed, bytes")
    image_max: Memory = Field(10 * 1024**3, description="largest image that a build may make, bytes")
    build_timeout: Seconds = Field(1800, description="limit of one image build")
    clone_timeout: Seconds = Field(300, description="limit of fetching the source")
    source_max: Memory = Field(64 * 1024**2, description="largest source tree, bytes")
    git_ca: Path | None = Field(None, description="certificates (PEM) that git trusts instead of the system's")
    git_private: bool = Field(False, description="git may reach loopback, link-local and private addresses")
    poll_seconds: float = Field(
        300, ge=0, description="seconds between two polls of a repository without webhook; 0: none"
    )
    test_timeout: Seconds = Field(600, description="limit of build.test")
    migrate_timeout: Seconds = Field(1800, description="limit of migrations.command")
    rollout_timeout: Seconds = Field(120, description="how long a new replica may take to become healthy")
    stay_up: Seconds = Field(10, description="how long a new replica without a healthcheck must stay up to go live")
    run_timeout: Seconds = Field(3600, description="limit of a one-off command that names none")
    run_timeout_max: Seconds = Field(86400, description="longest limit that a one-off command may name")
    drain_timeout: Seconds = Field(10, description="how long open requests of a leaving replica may take")

    # Cluster and router
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

    # The edge: domains with certificates
    edge: Literal["off", "caddy"] = Field(
        "off", description="caddy: norn up opens ports 80 and 443, and serves hosts.external there with certificates"
    )
    edge_email: str = Field("", description="address that the issuer of certificates writes to")
    edge_issuer: Annotated[str, AfterValidator(issuer_of_certificates)] = Field(
        "acme",
        description="issuer of certificates: acme (Let's Encrypt), internal (an authority of this server's own), "
        "or the https address of an ACME directory",
    )
    edge_http_port: int = Field(80, ge=1, le=65535, description="port of the edge for http")
    edge_https_port: int = Field(443, ge=1, le=65535, description="port of the edge for https, TCP and UDP")
    edge_door: int = Field(
        18799,
        ge=1,
        le=65535,
        description="port of the router for all public names, to which the edge and the tunnel lead; "
        "open only if one of them is used",
    )

    # The tunnel
    cloudflare_api_token: str = Field(
        "", repr=False, description="API token that changes the tunnel's rules and DNS records; empty: none is changed"
    )
    cloudflare_account: str = Field("", description="id of the account at Cloudflare; empty: that of the tunnel token")
    cloudflare_tunnel: str = Field("", description="id or name of the tunnel; empty: that of the tunnel token")
    cloudflare_url: str = Field(
        "https://api.cloudflare.com/client/v4", repr=False, description="address of Cloudflare's API"
    )
    cloudflare_tunnel_token: str = Field(
        "", repr=False, description="token with which norn up runs cloudflared; empty: the operator runs it"
    )
    cloudflare_credentials: Path | None = Field(
        None, description="credentials file with which norn up runs cloudflared, instead of the tunnel token"
    )
    cloudflare_config_map: str = Field(
        "",
        pattern=r"^$|^[a-z0-9.-]+/[a-z0-9.-]+$",
        description="namespace/name of the ConfigMap and the Deployment of a cloudflared in the cluster, "
        "whose config.yaml has the rules; empty: Cloudflare has them",
    )
    cloudflare_cert: Path | None = Field(
        None, description="certificate of cloudflared tunnel login, for DNS records without an API token"
    )
    cloudflared: str = Field("cloudflared", description="the program cloudflared: a name on the PATH, or a path")

    # Cloudflare Access
    access_team: Team = Field("", description="team of Cloudflare Access whose people the API admits; empty: nobody")
    access_audience: str = Field("", description="audience tag of Norn's application at Cloudflare Access")
    access_scope: ScopeWord = Field("read", description="scope of the people that Cloudflare Access lets in")
    access_admins: str = Field("", description="mail addresses of people with the scope admin, separated by commas")

    # Shared services of apps
    services_postgres_url: Annotated[str, AfterValidator(postgres_url)] = Field(
        "", repr=False, description="PostgreSQL for apps, with a role that makes others; empty: that of norn up"
    )
    services_postgres_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )
    services_kv_url: Annotated[str, AfterValidator(redis_url)] = Field(
        "", repr=False, description="Valkey or Redis 7 for apps, with a user that makes others; empty: that of norn up"
    )
    services_kv_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )
    services_events_url: Annotated[str, AfterValidator(redis_url)] = Field(
        "", repr=False, description="Valkey or Redis 7 for topics; empty: that for keys"
    )
    services_events_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )

    database_backups: BackupDirectory = Field("", description="directory of database backups; empty: in NORN_DATA_DIR")

    # Free disk space
    disk_build_free: Memory = Field(
        2 * 1024**3, description="free bytes below which nothing is built, and a build in progress is ended"
    )
    disk_build_percent: float = Field(10, ge=0, le=100, description="free percent below which nothing is built")
    disk_accept_free: Memory = Field(500 * 1024**2, description="free bytes below which nothing new is accepted")

    # Retention
    keep_days: Days = Field(14, description="days that jobs, their events and calls are kept")
    keep_per_app: int = Field(100_000, ge=1, description="newest jobs and calls of an app that are kept at most")
    keep_bodies: Memory = Field(128 * 1024**2, description="recorded requests and answers of an app at most, bytes")
    keep_logs: Memory = Field(
        64 * 1024**2, ge=16 * 1024**2, description="kept log lines of an app's replicas at most, bytes; 16MiB or more"
    )
    keep_logs_days: Days = Field(14, description="days that log lines of replicas are kept")
    keep_runs_days: Days = Field(90, description="days that occurrences of schedules and cron runs are kept")
    keep_runs_per_app: int = Field(1000, ge=1, description="newest occurrences and cron runs of an app kept at most")
    keep_failed_days: Days = Field(30, description="days that the output of failed jobs is kept")
    keep_audit_days: Days = Field(365, description="days that the audit is kept")
    result_ttl: Seconds = Field(3600, description="how long an asynchronous call's answer can be fetched")

    # Beat
    beat_tick_max: int = Field(1000, ge=1, description="occurrences decided in one transaction")

    # Alerts and notifications
    alert_paused_days: Days = Field(7, description="days that a schedule may be paused before an alert is raised")
    alert_written: Memory = Field(
        5 * 1024**3, description="bytes that a replica may write outside of its volumes before an alert is raised"
    )
    notify_attempts: int = Field(8, ge=1, description="tries to deliver a notification before it is given up")
    notify_backoff: Seconds = Field(10, description="pause after the first try of a notification; doubles, 1 h at most")
    outgoing_private: bool = Field(
        False, description="notifications may go to private addresses, and there without TLS"
    )
    server_name: str = Field("", description="name of this server in notifications; empty: the machine's name")
    smtp_url: Annotated[str, AfterValidator(mail_server_url)] = Field(
        "",
        repr=False,
        description="mail server for notifications: smtps://user:password@host:465, or smtp:// (STARTTLS)",
    )
    smtp_from: Annotated[str, AfterValidator(mail_address)] = Field("", description="address that mail is from")
    deadman_url: str = Field("", repr=False, description="https address to call while no schedule is late; empty: none")
    deadman_period: Seconds = Field(60, description="between two calls of that address")

    # Log lines and tests
    log_format: Literal["text", "json"] = Field("text", description="shape of the log lines")
    test_build: bool = Field(False, description="only in tests: failpoints and the no-op runtime work")
    noop_runtime: bool = Field(False, description="only with test_build: runs end well at once, without a container")
    failpoint: str = Field("", description="only with test_build: step:point:action")

    @property
    def listen_url(self) -> str:
        """The URL of PostgreSQL itself: for LISTEN, migrations and backups, which need a session of their own."""
        return self.database_listen_url or self.database_url

    @property
    def pooled(self) -> bool:
        """True if the database URL is that of a pooler, with which each transaction may get a different session."""
        return self.listen_url != self.database_url

    @property
    def age_key_path(self) -> Path:
        """The file of the private key that opens secrets."""
        return (self.age_key_file or self.data_dir / "age.key").expanduser()

    @property
    def services_dir(self) -> Path:
        """The directory of the servers that norn up runs for apps."""
        return self.data_dir.expanduser().resolve() / "services"

    @property
    def api_key_path(self) -> Path:
        """The file of the private key of the API."""
        return (self.api_key_file or self.data_dir / "api.key").expanduser()

    @property
    def engine_address(self) -> str:
        """The address of the container engine."""
        return self.docker_host or os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"

    @property
    def router_address(self) -> str:
        """The router's address as clients on its machine reach it, without a port."""
        host = "127.0.0.1" if self.router_host in ("0.0.0.0", "::", "") else self.router_host  # noqa: S104 - not bound
        return f"http://{f'[{host}]' if ':' in host else host}"

    def place_of_cluster(self, cluster: str | None) -> str | None:
        """Returns HOME for work in no cluster or on the home engine; None for a cluster on machines of its own."""
        return HOME if cluster in (None, "docker") else None

    @property
    def has_tunnel(self) -> bool:
        """True if the settings name a tunnel, or a token that can find one; only workers need the token."""
        return bool(self.cloudflare_api_token or self.cloudflare_tunnel or self.cloudflare_config_map)

    @property
    def has_edge(self) -> bool:
        """True if norn up runs the edge."""
        return self.edge != "off"

    @property
    def door_address(self) -> str | None:
        """The address of the router's door for public names; None if it does not listen."""
        return f"{self.router_address}:{self.edge_door}" if self.has_edge or self.has_tunnel else None

    @property
    def edge_dir(self) -> Path:
        """The directory of the edge, with its certificates."""
        return self.data_dir.expanduser().resolve() / "edge"

    @property
    def cluster_of_new_apps(self) -> str:
        """The cluster of an app that is forged for the first time."""
        if self.cluster != "auto":
            return self.cluster
        return "kubernetes" if self.kube_namespace else "docker"

    def servers_of_norn_up(self, kinds: Iterable[ServiceKind]) -> tuple[ServiceKind, ...]:
        """Returns the kinds of service among these for which the settings name no server of the operator."""
        kv = self.services_kv_url
        named = {"postgres": self.services_postgres_url, "kv": kv, "events": self.services_events_url or kv}
        return tuple(kind for kind in kinds if not named.get(kind))

    def build_reserve(self, memory: int) -> int:
        """Returns the bytes that a build reserves of an engine that has `memory` bytes for apps.

        A build may use more, up to its limit; but if it reserved all of that, nothing else could run on a small engine.
        """
        return min(self.build_memory, max(memory // 4, _LEAST_BUILD))

    def slots(self, job_class: str) -> int:
        """Returns the number of jobs of a class that one worker process runs at the same time."""
        return int(getattr(self, f"workers_{job_class}"))


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the environment.

    Raises InvalidRequest, which names the variable, if a value cannot be read.
    """
    environ = os.environ if environ is None else environ
    given = {
        name: environ[PREFIX + name.upper()] for name in Settings.model_fields if environ.get(PREFIX + name.upper())
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise InvalidRequest(
            f"{name}: {first['msg'].removeprefix('Value error, ')}",
            hint=f"correct {name} or unset it; its meaning is in docs/settings.md",
        ) from None
