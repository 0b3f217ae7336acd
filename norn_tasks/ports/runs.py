"""The containers of cron, function and test."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from norn_tasks.domain.execution import Ended
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.ports.volumes import Mount
from norn_tasks.ports.watch import Watch


@dataclass(frozen=True)
class Run:
    """A container to run once (security.md 6 says how it is hardened; a run cannot ask for less).

    `name` is its identity on the engine (`norn-x-<execution>`). `timeout` seconds from its start, or at `until` of this
    process's monotonic clock if that comes before, SIGTERM; `grace` seconds later SIGKILL. `stdin` None: closed.
    `max_output`: bytes of stdout after which it is ended as too large (None: head and tail are kept and the rest
    dropped). `logged`: its output also goes to a bounded log of the engine, from which a later owner takes it.
    `secrets` are part of its environment; `hidden` is replaced in all that is read of it.
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
    mounts: tuple[Mount, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    hidden: Redaction = NOTHING_HIDDEN

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

    def never_begun(self) -> int:
        """An earlier owner was about to let the code go, and it never did: answers the runs that are used up."""

    @property
    def taken_back(self) -> int | None:
        """What `never_begun` last answered: from then on the job has so many runs and no container; None before."""


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

        The end is the engine's word, never the end of a stream. Stopped by cancel: the container is ended and removed,
        Stopped is raised. Stopped by draining or a lost lease: a container whose code was let go is left to the next
        owner, who may wait for it already, if `logged`; else as for cancel. Raises ReleaseGone when the image is not
        there, EngineDown when the engine did not answer before anything was created.
        """

    def adopt(self, run: Run, container: str, watch: Watch) -> Ended | None:
        """Waits for a container that an earlier owner started, takes its output, removes it.

        One that was never started is removed, and its end says so (`never_started`), if the engine can vouch for that.
        None when it is gone: its outcome is unknown.
        """

    def remove(self, container: str) -> None:
        """Ends and removes a container by id or name, and returns when the engine says it is gone; none is fine."""

    def identity(self) -> str:
        """Answers the engine's id, which Norn leaves in it (volume `norn-engine`); raises EngineDown."""

    def seen(self) -> tuple[SeenContainer, ...]:
        """Lists all containers that carry an owner of ours."""
