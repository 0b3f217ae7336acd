"""The actions of a rollout on an app's containers. Most of them wait for a limited time while the engine is
unreachable, and stop waiting when the job is stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from docker import APIClient

from norn_tasks.adapters.docker.client import APP, INSTANCE, OWNER, EngineClient, moment
from norn_tasks.adapters.docker_cluster import addresses, policy
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.adapters.processes.entries import last_lines, spare
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, ReleaseGone, StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import Stop, Workload

T = TypeVar("T")

LAST_LINES = 20
GRACE = 10
"""Seconds between SIGTERM and SIGKILL for a replica that was created before infraspecs could set this time."""

_AGAIN = 0.5
_LONGEST = 1000
"""The seconds between two tries of a call; the most characters of a line of output in a message."""

log = logging.getLogger(__name__)


class Ask(Protocol):
    """Makes one call to the engine and returns the result."""

    def __call__(self, call: Callable[[APIClient], T], /) -> T: ...


def listed(ask: Ask, instance: str, app: str | None = None) -> list[dict[str, Any]]:
    """Returns the replicas of one app, or of all apps of this control plane, from the engine's list of containers.

    A replica is recognised by its owner label. A container also inherits the labels of its image, but Norn overrides
    the owner label of every container that it creates.
    """
    labels = [f"{INSTANCE}={instance}", OWNER, APP if app is None else f"{APP}={app}"]

    def ours(client: APIClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.containers(all=True, filters={"label": labels})
        return found

    return [each for each in ask(ours) if each["Labels"][OWNER].startswith(policy.OWNED)]


def look(ask: Ask, instance: str, app: str) -> tuple[ReplicaContainer, ...]:
    """Returns a description of each replica of an app."""
    return look_at(ask, (each["Id"] for each in listed(ask, instance, app)))


def look_at(ask: Ask, containers: Iterable[str]) -> tuple[ReplicaContainer, ...]:
    """Returns a description of each of these replicas that still exists."""
    closely = [see(ask, each) for each in containers]
    return tuple(each for each in closely if each is not None)


def see(ask: Ask, container: str) -> ReplicaContainer | None:
    """Returns a description of one replica; None if it no longer exists or if its labels cannot be read."""
    try:
        found: dict[str, Any] = ask(lambda client: client.inspect_container(container))
    except NotFound:
        return None
    try:
        return _seen(found)
    except (KeyError, ValueError) as error:
        log.warning("the container %s has labels of a replica that cannot be read: %r", container, error)
        return None


def _seen(found: dict[str, Any]) -> ReplicaContainer:
    state, marks = found["State"], found["Config"]["Labels"]
    return ReplicaContainer(
        id=found["Id"],
        app=marks[APP],
        index=int(marks[policy.INDEX]),
        release=int(marks[policy.RELEASE]),
        generation=int(marks[policy.GENERATION]),
        state=state["Status"],
        ip=(found["NetworkSettings"]["Networks"].get(policy.NETWORK) or {}).get("IPAddress", ""),
        restarts=found["RestartCount"],
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        started_at=moment(state["StartedAt"]),
        finished_at=moment(state["FinishedAt"]),
        grace=found["Config"].get("StopTimeout") or GRACE,
    )


class Containers:
    """The actions of one job on an engine; `patience` is the number of seconds to wait for an engine that is
    unreachable.

    `outages` counts the calls that the engine did not answer. `hidden` are the secrets to remove from lines of output.
    `keep_lines` is called before a container is removed, and stores the container's last output.
    """

    def __init__(
        self,
        engine: EngineClient,
        instance: str,
        stop: Stop,
        patience: float,
        hidden: Redaction = NOTHING_HIDDEN,
        keep_lines: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._stop = stop
        self._patience = patience
        self._hidden = hidden
        self._keep_lines = keep_lines
        self.outages = 0

    def first_look(self, app: str) -> tuple[ReplicaContainer, ...]:
        """Returns a description of each of the app's replicas; raises EngineDown immediately if the engine does not
        answer.
        """
        return look(self.at_once, self._instance, app)

    def look(self, app: str) -> tuple[ReplicaContainer, ...]:
        """Returns a description of each of the app's replicas; waits for an engine that does not answer."""
        return look(self.patiently, self._instance, app)

    def see(self, container: str) -> ReplicaContainer | None:
        """Returns a description of one container; None if it no longer exists."""
        return see(self.patiently, container)

    def create(self, workload: Workload, index: int, fence: Fence) -> str | None:
        """Creates a container without starting it. Returns None if another container has its name; the next observation
        will find that container.
        """
        subnet = self.patiently(lambda _: addresses.ensure(self._engine))
        name = policy.name(workload, index, self._instance)
        marks = policy.marks(workload, index, fence, self._instance)

        def make(client: APIClient) -> str:
            rest = policy.container(client, workload, addresses.draw(client, subnet), addresses.gateway(subnet))
            made: str = client.create_container(name=name, labels=marks, **rest)["Id"]
            return made

        try:
            return self.patiently(make, self._undo)
        except NotFound as error:
            raise gone(workload) from error
        except Conflict as error:
            self._expect_ours(name, error)
            return None

    def start(self, container: str) -> None:
        """Starts a container; does nothing if it runs already."""
        self.patiently(lambda client: client.start(container))

    def keep_up(self, container: str) -> bool:
        """Makes the engine restart the container whenever it ends from now on; returns False if the container no longer
        exists.
        """

        def change(client: APIClient) -> None:
            # The type stubs of the library know two of the engine's four restart policies.
            client.update_container(container, restart_policy={"Name": "unless-stopped"})  # type: ignore[arg-type]

        try:
            self.patiently(change)
        except NotFound:
            return False
        return True

    def unname(self, replica: ReplicaContainer) -> bool:
        """Takes a running replica's internal names away, so that other apps find only the replicas that replaced it.

        Its address and its open connections stay: its network is disconnected and connected again, which takes a
        fraction of a second. Returns False if the replica could not be connected again, or is gone.
        """
        row, network = replica.row, policy.NETWORK
        if row is None:
            return False
        try:
            found: dict[str, Any] = self.patiently(lambda client: client.inspect_container(replica.id))
            endpoint = found["NetworkSettings"]["Networks"].get(network)
            own = {replica.id[:12], found["Name"].lstrip("/")}
            if endpoint and not set(endpoint.get("Aliases") or ()) - own:
                return True
            if endpoint:
                self.patiently(lambda client: client.disconnect_container_from_network(replica.id, network))
            ip, mac = row.address.rpartition(":")[0], (endpoint or {}).get("MacAddress") or None
            self.patiently(
                lambda client: client.connect_container_to_network(
                    replica.id, network, ipv4_address=ip, mac_address=mac
                )
            )
        except (NotFound, Conflict, StepFailed) as error:
            log.warning("the container %s cannot serve its open connections any longer: %s", replica.id, error)
            return False
        return True

    def end(self, replicas: Sequence[ReplicaContainer]) -> None:
        """Ends these replicas at the same time: each gets SIGTERM, and SIGKILL if it has not ended after its grace
        period.
        """
        with ThreadPoolExecutor(max(1, len(replicas))) as pool:
            list(pool.map(self._end, replicas))

    def remove(self, container: str) -> None:
        """Removes a container, and returns when it no longer exists; does nothing if it is missing."""
        self._keep_lines(container)
        self.patiently(lambda _: self._engine.take_away(container))

    def discard(self, container: str) -> bool:
        """Kills and removes a container, even if the job was stopped; returns False if the engine does not
        answer soon.
        """
        try:
            with suppress(NotFound, Conflict):  # it no longer exists, or has ended
                self._engine.briefly(lambda client: client.kill(container))
            self._keep_lines(container)
            self._engine.take_away(container, within=10)
        except (EngineDown, StepFailed):
            return False
        return True

    def last_lines(self, container: str) -> list[str]:
        """Returns the last lines of a container's two streams, in order; an empty list if they cannot be read."""

        def read(client: APIClient) -> list[bytes]:
            asked = LAST_LINES + spare(self._hidden)
            return list(client.logs(container, stream=True, follow=False, timestamps=True, tail=asked))

        try:
            entries = self.patiently(read)
        except (NotFound, StepFailed, Conflict):
            return []
        lines = last_lines(entries, container, LAST_LINES, self._hidden)
        return [each[:_LONGEST] for line in lines for each in line.text.splitlines() or [""]][-LAST_LINES:]

    def at_once(self, call: Callable[[APIClient], T], /) -> T:
        """Makes one call; raises EngineDown if the engine does not answer it."""
        return self._engine.promptly(call, self._stop)

    def patiently(self, call: Callable[[APIClient], T], late: Callable[[T], None] | None = None, /) -> T:
        """Makes one call, and repeats it for at most `patience` seconds while the engine is unreachable."""
        until: float | None = None
        while True:
            try:
                return self._engine.promptly(call, self._stop, late)
            except EngineDown:
                self.outages += 1
                until = until or time.monotonic() + self._patience
                if time.monotonic() >= until:
                    raise
                self._stop.wait(_AGAIN)
                self._stop.check()

    def _end(self, replica: ReplicaContainer) -> None:
        try:
            self.patiently(lambda client: client.stop(replica.id, timeout=replica.grace))
        except (NotFound, Conflict, StepFailed):
            # The container no longer exists or is being removed. Any other fault will show in the forced removal that
            # follows.
            return

    def _undo(self, container: str) -> None:
        """Removes a container that the engine created after the job had stopped waiting for it. Does nothing unless the
        job was cancelled, because otherwise the job's next worker may already use the container.
        """
        if self._stop.reason == "cancelled":
            self.discard(container)

    def _expect_ours(self, name: str, error: Conflict) -> None:
        try:
            found = self.patiently(lambda client: client.inspect_container(name))
        except NotFound:
            return
        if (found["Config"]["Labels"] or {}).get(INSTANCE) != self._instance:
            raise Conflict(
                f"a container that Norn did not make has the name {name}", hint=f"docker rm -f {name}"
            ) from error
        self._stop.wait(0.1)
        self._stop.check()


def gone(workload: Workload) -> ReleaseGone:
    """Returns the error for a release that can no longer run, because its image is missing."""
    return ReleaseGone(
        f"the image {workload.image} of {workload.app} is no longer on this engine",
        hint=f"norn deploy {workload.app}",
    )
