"""Every variable that Norn's server side reads, on one typed page: meaning, unit, default.

`load()` is called once at the edge of a process (wsgi, worker, beat, router, `norn up`); what it returns is frozen and
handed down as an argument. The CLI's own variables (`NORN_URL`, `NORN_TOKEN`, `NORN_APP`) are in `norn_cli.config`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.host_paths import require_apart
from norn_tasks.domain.quantities import parse_memory

PREFIX = "NORN_"


def _memory(value: object) -> object:
    return parse_memory(value) if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0)]
Memory = Annotated[int, BeforeValidator(_memory)]


def _paths(value: object) -> object:
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def _apart(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    require_apart(roots)
    require_apart([root.resolve() for root in roots])
    return roots


Roots = Annotated[tuple[Path, ...], BeforeValidator(_paths), AfterValidator(_apart)]


def default_data_dir() -> Path:
    """Answers where Norn keeps everything: /var/lib/norn for root, the user's data directory else."""
    if os.geteuid() == 0:
        return Path("/var/lib/norn")
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "norn"


class Settings(BaseModel):
    """All settings; each field `x` is read from `NORN_X`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Where things are
    data_dir: Path = Field(default_factory=default_data_dir, description="directory of everything Norn keeps")
    database_url: str = Field("", description="PostgreSQL 15 or later; empty: the embedded server")
    database_listen_url: str = Field("", description="where LISTEN goes; empty: the database URL")
    broker_url: str = Field("", description="Redis-protocol broker; empty: the embedded one of the data directory")
    apps_dir: Path | None = Field(None, description="directory whose subdirectories with an infraspec.yaml are apps")
    registry_url: str = Field("", description="registry through which engines share images; empty: one engine only")
    registry_config: Path | None = Field(None, description="docker's config.json with the registry's credentials")
    docker_host: str = Field("", description="engine address; empty: DOCKER_HOST, else unix:///var/run/docker.sock")

    age_key_file: Path | None = Field(None, description="file of the private key that opens secrets")
    age_key: str = Field("", repr=False, description="that key itself, for a worker that has no file")

    # The API
    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8800, ge=1, le=65535, description="port the API listens on")
    auth: Literal["on", "off"] = Field("on", description="off: no token is asked; refused unless host is loopback")
    metrics: Literal["token", "open"] = Field("token", description="open: /metrics asks for no token; loopback only")
    max_waiting: int = Field(400, ge=1, description="synchronous calls that may wait at once in one API process")
    max_streams: int = Field(150, ge=1, description="event and log streams open at once in one API process")
    json_max: Memory = Field(1024 * 1024, description="largest JSON request body, bytes")

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
    workers_deploy: int = Field(2, ge=1, description="forges and deploys at once per deploy worker")
    workers_observe: int = Field(8, ge=1, description="looks at engine and cluster at once per observe worker")

    # Building, testing, rolling out
    build_memory: Memory = Field(2 * 1024**3, description="memory of one image build, bytes")
    build_cpus: float = Field(1.5, gt=0, description="cores of one image build")
    builder: Literal["auto", "classic"] = Field(
        "auto", description="classic: the one that holds builds to their limits"
    )
    build_cache_max: Memory = Field(10 * 1024**3, description="the builder's cache above which it is trimmed, bytes")
    build_timeout: Seconds = Field(1800, description="limit of one image build")
    clone_timeout: Seconds = Field(300, description="limit of fetching the source")
    source_max: Memory = Field(64 * 1024**2, description="largest source tree, bytes")
    git_private: bool = Field(False, description="git may reach loopback, link-local and private addresses")
    test_timeout: Seconds = Field(600, description="limit of build.test")
    rollout_timeout: Seconds = Field(120, description="how long a new replica may take to become healthy")
    run_timeout: Seconds = Field(3600, description="limit of a one-off command that names none")
    run_timeout_max: Seconds = Field(86400, description="longest limit that a one-off command may name")
    drain_timeout: Seconds = Field(10, description="how long open requests of a leaving replica may take")

    # Cluster and router
    cluster: Literal["auto", "docker"] = Field("auto", description="where webservers and workers run")
    engine_memory: Memory = Field(
        0, description="memory for apps on each engine; 0: all but a fifth of what it reports"
    )
    host_paths: Roots = Field((), description="directories that a volume's hostPath may name, parted by colons")
    router_host: str = Field("127.0.0.1", description="address the router listens on")
    router_port_first: int = Field(18800, description="first port the router may give to an app")
    router_port_last: int = Field(19799, description="last port the router may give to an app")

    # Room on disks
    disk_build_free: Memory = Field(2 * 1024**3, description="free bytes below which nothing is built")
    disk_build_percent: float = Field(10, ge=0, le=100, description="free percent below which nothing is built")
    disk_accept_free: Memory = Field(500 * 1024**2, description="free bytes below which nothing new is accepted")

    # What is kept, and how long
    keep_days: Days = Field(14, description="days that jobs, their events and calls are kept")
    keep_per_app: int = Field(100_000, ge=1, description="newest jobs and calls of an app that are kept at most")
    keep_runs_days: Days = Field(90, description="days that occurrences of schedules and cron runs are kept")
    keep_runs_per_app: int = Field(1000, ge=1, description="newest occurrences and cron runs of an app kept at most")
    keep_failed_days: Days = Field(30, description="days that the output of failed jobs is kept")
    keep_audit_days: Days = Field(365, description="days that the audit is kept")
    result_ttl: Seconds = Field(3600, description="how long an asynchronous call's answer stays whatever record says")

    # Beat
    beat_tick_max: int = Field(1000, ge=1, description="occurrences decided in one transaction")

    # Telling people
    alert_paused_days: Days = Field(7, description="days that a schedule may be paused before an alert is raised")
    notify_attempts: int = Field(8, ge=1, description="tries to deliver a notification before it is given up")
    notify_backoff: Seconds = Field(10, description="pause after the first try of a notification; doubles, 1 h at most")
    outgoing_private: bool = Field(
        False, description="notifications may go to private addresses, and there without TLS"
    )
    deadman_url: str = Field("", description="https address that is called while beat decides on time; empty: none")
    deadman_period: Seconds = Field(60, description="between two calls of that address")

    # What the processes tell
    log_format: Literal["text", "json"] = Field("text", description="shape of the log lines")
    test_build: bool = Field(False, description="only in tests: failpoints and the no-op runtime work")
    noop_runtime: bool = Field(False, description="only with test_build: runs end well at once, without a container")
    failpoint: str = Field("", description="only with test_build: step:point:action")

    @property
    def listen_url(self) -> str:
        """Where LISTEN goes."""
        return self.database_listen_url or self.database_url

    @property
    def age_key_path(self) -> Path:
        """The file of the private key that opens secrets."""
        return (self.age_key_file or self.data_dir / "age.key").expanduser()

    @property
    def engine_address(self) -> str:
        """Where the container engine listens."""
        return self.docker_host or os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"

    def slots(self, job_class: str) -> int:
        """How many jobs of a class one worker process runs at once."""
        return int(getattr(self, f"workers_{job_class}"))


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the environment.

    Raises InvalidRequest naming the variable when a value cannot be read.
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
            f"{name}: {first['msg']}", hint=f"correct {name} or unset it; its meaning is in docs/settings.md"
        ) from error
