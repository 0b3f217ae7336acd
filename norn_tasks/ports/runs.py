"""Containers that run once: cron runs, calls, one-off commands, tests and migrations."""

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
    """A client that is connected to a run: the run gets the client's input, and ends when the client has left."""

    terminal: Terminal
    """The input and output of the client."""
    tty: bool
    """The run gets a terminal, and stdout and stderr are one stream."""
    size: tuple[int, int] | None = None
    """Rows and columns of that terminal."""


@dataclass(frozen=True)
class Run:
    """A container to run once (docs/security.md 6 says how it is hardened; a run cannot ask for less)."""

    name: str
    """Its identity on the engine: `norn-x-<execution>`."""
    app: str
    """The app that it belongs to."""
    owner: str
    """The owner that its label names: `execution:<id>`, or `execution:t<job>` for a test."""
    image: str
    """The id of its image."""
    argv: tuple[str, ...] | None
    """Its command; none for the command of the image."""
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
    """It may write to its root file system."""
    stdin: bytes | None = None
    """Its input; none when its input is closed."""
    client: RunClient | None = None
    """The client whose input it gets, instead of `stdin`."""
    passed_on: Callable[[bytes], None] | None = None
    """Receives its stdout as it arrives, with secrets hidden; the result of the run does not depend on that."""
    max_output: int | None = None
    """The bytes of stdout after which it is stopped; None: it goes on, and only its first and last bytes are kept."""
    logged: bool = True
    """Its output also goes to a bounded log of the engine, from which a later owner reads it."""
    handed_on: bool = True
    """Its container is left to the next owner of its job, if its code was started and it is `logged`."""
    grace: float = 10.0
    """The seconds from SIGTERM to SIGKILL."""
    until: float | None = None
    """The time of this process's monotonic clock at which it gets SIGTERM, if that is before its timeout."""
    services: bool = False
    """It reaches the servers of shared services by name."""
    mounts: tuple[Mount, ...] = ()
    """Its volumes."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Its secrets, which become part of its environment."""
    published: str = ""
    """The reference of its image in the registry; empty for one that was never pushed."""
    tag: str = ""
    """The tag of its image on the engine, for a cluster whose nodes have images loaded manually; empty for others."""
    hidden: Redaction = NOTHING_HIDDEN
    """The values that are redacted in everything that is read from it."""

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
        """True if the container is left to the next owner of the job when its code was started."""
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
    """The records that a run makes before it continues; each commits, or raises LeaseLost if the fence is not valid."""

    def created(self, container: str) -> None:
        """Records the id of the container, which exists and is not started."""

    def begun(self) -> None:
        """Records that the code is about to be started."""

    def never_begun(self) -> int:
        """Records that an earlier owner never started the code; returns how many of its runs the job has used."""

    @property
    def taken_back(self) -> int | None:
        """The last result of `never_begun`, which is the number of used runs; None if it was not called.

        After such a call the job has no container.
        """


class FastRoad(Protocol):
    """A faster way to start runs on an engine, such as the nest. A worker prepares it, and tries it before any use."""

    def make(self) -> bool:
        """Prepares it and tries it, unless it is ready; returns False if it was ready already.

        Raises StepFailed, EngineDown or NotFound, after which runs go through the engine itself.
        """

    @property
    def ready(self) -> bool:
        """True if runs that it supports may start this way."""


class Runtime(Protocol):
    """One way of running containers on an engine. While the engine does not answer, calls wait until stopped."""

    name: str
    """The name that a spec's `runtime` gives it."""
    engine: str
    """The name of the engine on which it runs containers, in `Tools.engines`."""

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Copies an image to the place where its runs start, and returns a note, which is empty if no copy is needed.

        `run` copies a missing image itself. Raises ReleaseGone when the image is not there, StepFailed, EngineDown.
        """

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the copies of the app's images that `prepare` made, except `keep`; returns how many it removed.

        Raises EngineDown.
        """

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Creates, records, begins, starts, feeds, reads, waits for and removes a container.

        The container has ended when the engine says so; its streams may end earlier. After a cancel the code gets
        SIGTERM and its grace, and the container is ended and removed. Then Stopped is raised; its fact `ended` is the
        end of the container. If the worker drains or the lease is lost, the container is removed at once. But if the
        run `outlives_owner` and its code was started, the container is left to the next owner, which may already be
        waiting for its end. Raises ReleaseGone when the image is not there, EngineDown when the engine did not answer
        before anything was created.
        """

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Waits for the end of a container that an earlier owner recorded, takes its output, and removes it.

        A container that was never started is removed, and the result says so (`never_started`), if the engine can prove
        that. Returns None when the container is gone: its outcome is unknown.
        """
