"""Long-running apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.job import Fence
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.replica import Replica
from norn_tasks.domain.secret import Secret
from norn_tasks.ports.live import Terminal
from norn_tasks.ports.volumes import Mount
from norn_tasks.ports.watch import Stop, Watch


@dataclass(frozen=True)
class Workload:
    """The whole of what the cluster should run for an app.

    `generation` names this rollout (the job that rolled it): containers of another generation are to be replaced.
    `port` None: no Service, a worker. `healthcheck` None: the port accepting is the gate; a worker is gated on staying
    up. `memory` bytes and `cpus` None: unlimited. `secrets` are part of the environment; `hidden` is replaced
    in its lines.
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
    mounts: tuple[Mount, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    hidden: Redaction = NOTHING_HIDDEN


@dataclass(frozen=True)
class Command:
    """A program to run inside a live replica, beside what serves there.

    `replica`: its number, None for any. `mark` tells this one from every other. `tty`: it gets a terminal of its own,
    of the kind `term` and of `size` (rows, columns).
    """

    app: str
    argv: tuple[str, ...]
    mark: str
    replica: int | None = None
    tty: bool = False
    term: str = ""
    size: tuple[int, int] | None = None


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

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits (replica, line) of the app's replicas, the last `tail` lines each, then new ones while following.

        What is `hidden` is replaced in them.
        """

    def execute(self, command: Command, terminal: Terminal) -> int:
        """Runs a program in a live replica for somebody who is there; answers its exit code.

        Raises NotFound when there is no such replica. Raises Stopped with the terminal's stop, the program ended if
        the image has a shell to end it with.
        """


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
