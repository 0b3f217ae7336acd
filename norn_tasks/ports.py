"""The outside world on one page: what steps may ask of it, in the domain's words; and Tools, the bundle they get.

Each Protocol has its adapters in `adapters/`, an in-memory fake in `tests/fakes/`, and one contract test for both.
Adapters raise only errors of `domain.errors`. Everything that may take long takes a `Stop` and gives up within a second
of it being set, raising `Stopped`, with what it started ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.execution import Ended
from norn_tasks.domain.job import Fence
from norn_tasks.domain.replica import Replica as Replica

Say = Callable[[str], None]
"""Takes output for the step's log: text, with or without line ends."""


class Stop(Protocol):
    """Tells a running piece of work that it should end: cancelled, draining, or its lease is lost."""

    @property
    def reason(self) -> str | None:
        """`cancelled`, `draining`, `lease_lost`; None while the work may go on."""

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long, and answers at once with True when the stop is set."""

    def check(self) -> None:
        """Raises Stopped when the stop is set."""


@dataclass(frozen=True)
class Watch:
    """What a long piece of work is given along: its fence, where its output goes, and what may stop it."""

    fence: Fence
    say: Say
    stop: Stop


# Source


@dataclass(frozen=True)
class Checkout:
    """A source on this machine's disk: `path` is a private copy; `revision` a SHA, `dir-…` or `src-…`."""

    path: Path
    revision: str


class Git(Protocol):
    """Fetches commits, hardened: https and ssh only, no hooks, no prompts, bounded (security.md 3)."""

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Checks out exactly the commit that `ref` (branch, tag or SHA) names, into the directory `into`, without .git.

        Raises SourceError naming the ref or the address.
        """


class Directories(Protocol):
    """Reads apps from directories that this machine sees."""

    def checkout(self, origin: Path, into: Path, watch: Watch) -> Checkout:
        """Copies the tree into `into` (links kept as links, .git left out) and names its revision.

        Raises SourceError when this machine does not see the directory, or it is over the source limit.
        """


# Images


@dataclass(frozen=True)
class BuildOrder:
    """An image to build: `context` is a private copy of the source, `target` a stage or None."""

    context: Path
    dockerfile: str
    tag: str
    labels: Mapping[str, str]
    target: str | None = None


@dataclass(frozen=True)
class Image:
    """An image on the engine. `user` is its configured user ('' is root); `exposed` its ports."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    user: str = ""
    size: int = 0
    stages: tuple[str, ...] = ()


class Images(Protocol):
    """Builds and keeps images."""

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds with live output and limits; when stopped, the build is ended and nothing of it goes on.

        Raises BuildFailed with the last line, SourceError for a missing Dockerfile, TimedOut, EngineDown.
        """

    def find(self, reference: str) -> Image | None:
        """Answers the image of a tag or id, None when it is not there."""

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that carry our label for the app."""

    def remove(self, image_id: str) -> bool:
        """Removes an image of ours with all its tags; False when something still uses it. Never another's."""


# Runs: the containers of cron, function and test


@dataclass(frozen=True)
class Run:
    """A container to run once (security.md 6 says how it is hardened; a run cannot ask for less).

    `name` is its identity on the engine (`norn-x-<execution>`). `timeout` seconds from its start, or at `until` of this
    process's monotonic clock if that comes before, SIGTERM; `grace` seconds later SIGKILL. `stdin` None: closed.
    `max_output`: bytes of stdout after which it is ended as too large (None: head and tail are kept and the rest
    dropped). `logged`: its output also goes to a bounded log of the engine, from which a later owner takes it.
    """

    name: str
    app: str
    owner: str
    image: str
    argv: tuple[str, ...] | None
    env: Mapping[str, str]
    timeout: float
    memory: int
    cpus: float
    network: str = "bridge"
    writable: bool = False
    stdin: bytes | None = None
    max_output: int | None = None
    logged: bool = True
    grace: float = 10.0
    until: float | None = None

    @property
    def seconds(self) -> float:
        """How long it may run when it begins now."""
        return self.timeout if self.until is None else min(self.timeout, self.until - time.monotonic())


class Hooks(Protocol):
    """What a run tells its owner before it goes on; each commits, and raises LeaseLost when the fence has fallen."""

    def created(self, container: str) -> None:
        """The container exists and is not started: its id is recorded."""

    def begun(self) -> None:
        """The very next thing is that the code is let go."""


@dataclass(frozen=True)
class SeenContainer:
    """A container of ours on the engine, by its labels."""

    id: str
    name: str
    owner: str
    running: bool
    age: float


class Runtime(Protocol):
    """Runs one container to its end. While the engine does not answer, waiting calls wait, until stopped."""

    name: str

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> Ended:
        """Creates, records, begins, starts, feeds, reads, waits, removes.

        The end is the engine's word, never the end of a stream. Stopped by cancel or a lost lease: the container is
        ended and removed, Stopped is raised. Stopped by draining: the container is left running for a later owner if
        `logged`, else as for cancel. Raises ReleaseGone when the image is not there, EngineDown when the engine did
        not answer before anything was created.
        """

    def adopt(self, run: Run, container: str, watch: Watch) -> Ended | None:
        """Waits for a container that an earlier owner started, takes its output, removes it.

        None when it is gone or was never started (then it is removed): its outcome is unknown.
        """

    def remove(self, container: str) -> None:
        """Ends and removes a container by id or name, and returns when the engine says it is gone; none is fine."""

    def identity(self) -> str:
        """Answers the engine's id, which Norn leaves in it (volume `norn-engine`); raises EngineDown."""

    def seen(self) -> tuple[SeenContainer, ...]:
        """Lists all containers that carry an owner of ours."""


# The cluster: long-running apps


@dataclass(frozen=True)
class Workload:
    """The whole of what the cluster should run for an app.

    `generation` names this rollout (the job that rolled it): containers of another generation are to be replaced.
    `port` None: no Service, a worker. `healthcheck` None: the port accepting is the gate; a worker is gated on staying
    up. `memory` bytes and `cpus` None: unlimited.
    """

    app: str
    release: int
    generation: int
    image: str
    replicas: int
    env: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] | None = None
    port: int | None = None
    healthcheck: str | None = None
    internal_host: str = ""
    memory: int | None = None
    cpus: float | None = None


class Cluster(Protocol):
    """Keeps webservers and workers running."""

    name: str

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Makes what a deployment of the app needs before its first release (nothing runs yet)."""

    def expose(self, workload: Workload, watch: Watch) -> None:
        """Makes the app reachable by its internal host name."""

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Declares what should run; raises ReleaseGone when the image is not there."""

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Brings the world to what was applied: surge 1, unavailable 0, each new replica gated before an old one goes.

        Raises RolloutFailed with one sentence and the new replica's last lines, the old ones still serving and the
        failed one gone.
        """

    def unexpose(self, app: str, watch: Watch) -> None:
        """Takes the app's internal name away; none is fine."""

    def dismantle(self, app: str, watch: Watch) -> None:
        """Stops and removes everything of the app that runs; nothing there is fine."""

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Looks at all apps; raises ClusterDown."""

    def logs(self, app: str, tail: int, follow: bool, emit: Callable[[str, str], None], stop: Stop) -> None:
        """Emits (replica, line) of the app's replicas, the last `tail` lines each, then new ones while following."""


class Replicas(Protocol):
    """The docker cluster's memory, which the router follows: what a Kubernetes API server would keep.

    Every change is fenced: it raises LeaseLost when the job's token has fallen.
    """

    def of_app(self, app: str) -> tuple[Replica, ...]:
        """Lists the app's replicas that are not gone."""

    def starting(self, replica: Replica, fence: Fence) -> None:
        """Records a created container before it is started."""

    def live(self, container: str, address: str, fence: Fence) -> None:
        """It passed its gate."""

    def leaving(self, container: str, fence: Fence) -> None:
        """It takes no new requests from now on."""

    def drained(self, container: str) -> bool:
        """True when the router has said that no request is open on it."""

    def gone(self, container: str, fence: Fence) -> None:
        """It is removed from the engine."""


class LiveStream(Protocol):
    """Where a job's live lines go; nothing depends on their arriving."""

    @property
    def stop(self) -> Stop:
        """Set when nobody reads any more."""

    def line(self, source: str, text: str) -> None:
        """Sends one line."""

    def end(self) -> None:
        """Tells the readers that no more will come."""


class LiveStreams(Protocol):
    """The live side of the broker."""

    def of_job(self, job: int, watch: Watch) -> LiveStream:
        """Opens a job's live stream, whose stop is also set with the watch's."""


@dataclass(frozen=True)
class Limits:
    """Figures that steps need and settings hold; `instance` names this control plane on an engine that it shares."""

    test_timeout: float
    run_memory: int
    run_cpus: float
    engine_patience: float
    workspace: Path
    router_ports: tuple[int, int]
    instance: str


@dataclass(frozen=True)
class Tools:
    """The outside world as a step gets it. It holds no door to the store."""

    git: Git
    directories: Directories
    images: Images
    cluster: Cluster
    runtimes: Mapping[str, Runtime]
    limits: Limits
    live: LiveStreams
