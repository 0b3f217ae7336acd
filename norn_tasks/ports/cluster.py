"""The port to a cluster, which keeps the replicas of long-running apps running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.infraspec import Health
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.ports.live import Terminal
from norn_tasks.ports.volumes import Mount, Volumes
from norn_tasks.ports.watch import Stop, Watch


@dataclass(frozen=True)
class Workload:
    """Everything that a cluster should run for an app."""

    app: str
    """The app."""
    release: int
    """The number of its release."""
    generation: int
    """The id of the job whose rollout started this generation; containers of other generations are replaced."""
    image: str
    """The image of the release."""
    replicas: int
    """How many containers should run."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The containers' environment, without secrets."""
    argv: tuple[str, ...] | None = None
    """The containers' command; None for the command of the image."""
    port: int | None = None
    """The port on which the containers serve; None for a worker, which clients do not reach."""
    healthcheck: str | None = None
    """The path that must answer before a replica is live.

    Without a path, the replica must keep running, and its port, if it has one, must accept connections.
    """
    health: Health = field(default_factory=Health)
    """How long and how often the health of a replica is checked; the path is in `healthcheck`."""
    recreate: bool = False
    """If True, the old replicas are stopped before new ones start."""
    stop_grace: int = 10
    """The seconds between SIGTERM, or the signal that the image asks for, and SIGKILL."""
    stream_grace: int = 0
    """The seconds for which a replaced replica may keep running while connections to it are open; 0 for none."""
    proven: bool = False
    """True if a replica of this generation was live before, so that the rollout restores or scales containers that have
    already worked.
    """
    internal_host: str = ""
    """The name under which other apps reach the app."""
    memory: int | None = None
    """The bytes of memory that each container may use; None for no limit."""
    cpus: float | None = None
    """The number of processors that each container may use; None for no limit."""
    mounts: tuple[Mount, ...] = ()
    """The containers' volumes."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """The containers' secrets, which become part of their environment."""
    hidden: Redaction = NOTHING_HIDDEN
    """The values that are hidden in the containers' logs."""
    published: str = ""
    """The reference of the image in the registry; empty for one that was never pushed."""
    services: bool = False
    """True if the containers must reach the servers of shared services by name."""
    tag: str = ""
    """The tag of the image on the engine, for a cluster onto whose nodes the operator loads images; empty for any other
    cluster.
    """

    @property
    def drains(self) -> int:
        """Returns the seconds for which a replaced replica may drain: none if nothing of the app may run beside it."""
        return 0 if self.recreate or self.replicas == 0 else self.stream_grace

    @property
    def checked(self) -> Health:
        """Returns the options of the health check, with the path."""
        return self.health.model_copy(update={"path": self.healthcheck})


@dataclass(frozen=True)
class ExecCommand:
    """A program to run in a live replica, in addition to the app's own processes.

    `replica` is the number of the replica, or None for any. `mark` distinguishes this program from all others. `tty`:
    the program gets a terminal of its own, of the type `term` and of `size` (rows, columns).
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
    """The key of the cluster in `Tools.clusters`."""
    engine: str | None
    """The name of the engine that has the replicas; None for a cluster on machines of its own, that is Kubernetes."""

    def own_volumes(self, watch: Watch) -> Volumes | None:
        """Returns the port to the cluster's own volumes, for use by one job; None if its replicas mount volumes of the
        engine.
        """

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Creates the objects that the app's replicas need; before the first release, nothing runs yet."""

    def expose(self, workload: Workload, watch: Watch) -> str:
        """Makes the app reachable by its internal host name; returns its address for clients outside of the cluster."""

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Declares which containers should run; raises ReleaseGone if the image does not exist."""

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Rolls out the workload that was applied, one replica at a time: a new one must pass its gate (the health
        test) before an old one is stopped.

        So at most one replica more than wanted runs at a time. With `recreate` the old replicas are stopped first.

        If the rollout fails, the failed replica is removed, old replicas that were not stopped before still serve, and
        RolloutFailed is raised with a sentence and the failed replica's last lines.
        """

    def entrance(self, workload: Workload, watch: Watch) -> str | None:
        """Returns the `host:port` at which this machine reaches the app's replicas, for a router that sends requests
        there.

        Returns None if the router finds the replicas by their rows. Raises StepFailed if nothing answers at the
        address.
        """

    def withdraw(self, app: str, watch: Watch) -> None:
        """Removes the app's internal name. Keeps its address at the router, which now leads to another cluster."""

    def unexpose(self, app: str, watch: Watch) -> None:
        """Removes the app's internal name and its address, if it has them."""

    def dismantle(self, app: str, watch: Watch) -> None:
        """Stops and removes everything of the app that runs."""

    def end_drained(self, watch: Watch) -> int:
        """Stops and removes the draining replicas, of any app, that have no open connection left or whose time is over.

        Returns how many it removed. A cluster that ends replaced replicas by itself has none.
        """

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Observes all apps; raises ClusterDown."""

    def drift(self, workload: Workload, watch: Watch) -> tuple[Drift, ...]:
        """Returns how the running replicas differ from the workload of the live release; changes nothing."""

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits pairs (replica, line): the last `tail` lines of each replica of the app. With `follow`, it then emits
        new lines.

        The values in `hidden` are hidden in the lines.
        """

    def execute(self, command: ExecCommand, terminal: Terminal) -> int:
        """Runs a program in a live replica for a connected client; returns its exit code.

        Raises NotFound if the replica does not exist. If the terminal's stop is set, ends the program and raises
        Stopped; ending it needs a shell in the image.
        """


class RouterPorts(Protocol):
    """The ports of the router. The Docker cluster gives one to each webserver, which keeps it even when it moves to
    Kubernetes.

    Every change is fenced: it raises LeaseLost if the job's token is no longer valid.
    """

    def reserve(self, app: str, fence: Fence) -> int:
        """Returns the app's port; an app without a port gets the lowest free one. Raises Unavailable if none is
        free.
        """

    def release(self, app: str, fence: Fence) -> None:
        """Frees the app's port, if it has one."""

    def lead(self, app: str, entrance: str, fence: Fence) -> int | None:
        """Makes the router send an app's requests to `entrance`, if the app has moved to another cluster, and returns
        the app's port. Returns None for any other app.
        """


class Replicas(Protocol):
    """The rows of the Docker cluster's replicas, which the router follows. (Kubernetes keeps such records in its API
    server.)

    Every change is fenced: it raises LeaseLost if the job's token is no longer valid.
    """

    def of_app(self, app: str) -> tuple[Replica, ...]:
        """Returns the app's replicas that still have a row."""

    def starting(self, replica: Replica, fence: Fence) -> None:
        """Records a created container before it is started."""

    def live(self, container: str, address: str, fence: Fence) -> None:
        """Marks the replica of a container as live, because it has passed its gate (the health test)."""

    def leaving(self, container: str, fence: Fence) -> None:
        """Makes the router send no new requests to the replica."""

    def drained(self, container: str) -> bool:
        """Returns True if the router has reported that it has no open request to the replica."""

    def draining(self, container: str, seconds: float, fence: Fence) -> None:
        """Lets a leaving replica keep running for its open connections, for at most `seconds`."""

    def due(self) -> tuple[Replica, ...]:
        """Returns the draining replicas, of any app, that have no open connection left or whose time is over."""

    def ending(self, container: str, fence: Fence) -> bool:
        """Records that the time of a draining replica is over; returns False if it is no longer draining, so that it
        must not be removed.
        """

    def gone(self, container: str, fence: Fence) -> None:
        """Deletes the row of the container, because the engine no longer has the container."""
