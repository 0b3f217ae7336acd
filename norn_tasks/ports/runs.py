"""The port for containers that run once: cron runs, calls, one-off commands, tests and migrations."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from norn_tasks.domain.causes import Evidence
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.ports.live import Terminal
from norn_tasks.ports.volumes import Mount
from norn_tasks.ports.watch import Watch


@dataclass(frozen=True)
class RunClient:
    """A client that is connected to a run. The run gets the client's input, and ends when the client disconnects."""

    terminal: Terminal
    """The input and output of the client."""
    tty: bool
    """True if the run gets a terminal, so that stdout and stderr are one stream."""
    size: tuple[int, int] | None = None
    """Rows and columns of the run's terminal."""


@dataclass(frozen=True)
class Run:
    """A container to run once (docs/security.md 6 says how it is hardened; a run cannot ask for less)."""

    name: str
    """The name of its container on the engine: `norn-x-<execution>`."""
    app: str
    """The app that it belongs to."""
    owner: str
    """The owner that its label names: `execution:<id>`, or `execution:t<job>` for a test."""
    image: str
    """The id of its image."""
    argv: tuple[str, ...] | None
    """Its command; None for the command of the image."""
    env: Mapping[str, str]
    """Its environment, without secrets."""
    timeout: float
    """The seconds after its start at which it gets SIGTERM."""
    memory: int
    """The bytes of memory that it may use."""
    cpus: float
    """The number of processors that it may use."""
    network: str = "bridge"
    """Its network: `bridge` or `none`."""
    writable: bool = False
    """True if it may write to its root file system."""
    stdin: bytes | None = None
    """Its input; None if its input is closed."""
    client: RunClient | None = None
    """The client whose input it gets, instead of `stdin`."""
    passed_on: Callable[[bytes], None] | None = None
    """A function that receives its stdout as it arrives, with secrets hidden. The result of the run does not depend on
    this function.
    """
    max_output: int | None = None
    """If stdout reaches this many bytes, the run is stopped. If None, it continues, and only the first and last bytes
    are kept.
    """
    logged: bool = True
    """True if its output also goes to a bounded log of the engine, from which a later worker of the job reads it."""
    handed_on: bool = True
    """True if its container is left to the next worker of its job, provided that its code was started and it is
    `logged`.
    """
    grace: float = 10.0
    """The seconds from SIGTERM to SIGKILL."""
    until: float | None = None
    """The time of this process's monotonic clock at which it gets SIGTERM, if that is before its timeout."""
    services: bool = False
    """True if it must reach the servers of shared services by name."""
    mounts: tuple[Mount, ...] = ()
    """Its volumes."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Its secrets, which become part of its environment."""
    published: str = ""
    """The reference of its image in the registry; empty for one that was never pushed."""
    tag: str = ""
    """The tag of its image on the engine, for a cluster onto whose nodes the operator loads images; empty for any other
    cluster.
    """
    hidden: Redaction = NOTHING_HIDDEN
    """The values that are hidden in everything that is read from it."""

    @property
    def evidence(self) -> Evidence:
        """The facts about its container that help to find the cause of a bad end."""
        return Evidence(
            read_only=not self.writable,
            volumes=tuple(mount.target for mount in self.mounts),
            environment=frozenset({*self.env, *self.secrets}),
        )

    @property
    def outlives_owner(self) -> bool:
        """True if the container is left to the next worker of the job when its code was started."""
        return self.logged and self.handed_on

    @property
    def reads(self) -> bool:
        """True if its input is open."""
        return self.stdin is not None or self.client is not None

    @property
    def tty(self) -> bool:
        """True if it has a terminal."""
        return self.client is not None and self.client.tty

    @property
    def seconds(self) -> float:
        """The seconds for which it may run if it begins now."""
        return self.timeout if self.until is None else min(self.timeout, self.until - time.monotonic())


class Hooks(Protocol):
    """The records that a run makes before it continues. Each call commits its record, or raises LeaseLost if the job's
    token is no longer valid.
    """

    def created(self, container: str) -> None:
        """Records the id of the container, which exists but is not started."""

    def begun(self) -> None:
        """Records that the code is about to be started."""

    def never_begun(self) -> int:
        """Records that an earlier worker never started the code; returns how many of its permitted starts the job has
        used.
        """

    @property
    def taken_back(self) -> int | None:
        """The last result of `never_begun`; None if it was not called.

        After such a call the job has no container.
        """


class FastRoad(Protocol):
    """A faster way to start runs on an engine, such as the nest (a container in which crun starts runs). A worker
    prepares it, and tests it before its first use.
    """

    def make(self) -> bool:
        """Prepares and tests it, unless it is ready; returns False if it was already ready.

        Raises StepFailed, EngineDown or NotFound; after that, runs go through the engine itself.
        """

    @property
    def ready(self) -> bool:
        """True if runs that it supports may start this way."""


class StartsAtOnce:
    """Marks a runtime that knows a container's id before it makes the container, and starts the code right after it.

    So the container and the beginning of its code are recorded in one write, which commits before the code starts.
    """


class Runtime(Protocol):
    """One way to run containers on an engine. While the engine does not answer, calls wait until they are stopped."""

    name: str
    """The name that infraspecs use in `runtime`."""
    engine: str
    """The name of the engine on which it runs containers, in `Tools.engines`."""

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Copies an image to where its runs start, and returns a note for people, which is empty if no copy is needed.

        `run` copies a missing image itself. Raises ReleaseGone if the image does not exist; StepFailed, EngineDown.
        """

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the copies of the app's images that `prepare` made, except `keep`; returns how many it removed.

        Raises EngineDown.
        """

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Creates a container, records it, lets the code begin, starts it, writes its input, reads its output, waits
        for its end, and removes it.

        The container has ended when the engine says so; its streams may end earlier.

        After a cancellation, the code gets SIGTERM and its grace period. Then the container is ended and removed, and
        Stopped is raised; the error's fact `ended` is the end of the container. If the worker drains or the lease is
        lost, the container is removed immediately. But if the run `outlives_owner` and its code was started, the
        container is left to the next worker of the job, which may already be waiting for its end.

        Raises ReleaseGone if the image does not exist, EngineDown if the engine did not answer before anything was
        created.
        """

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Waits for the end of a container that an earlier worker recorded, takes its output, and removes it.

        If the engine can prove that the container was never started, it is removed, and the result says so
        (`never_started`). Returns None if the container no longer exists, so that its outcome is unknown.
        """
