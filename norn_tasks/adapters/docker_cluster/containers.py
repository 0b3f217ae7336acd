"""An app's containers in the verbs that a rollout needs; each waits for an engine that is away, until stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from docker import APIClient

from norn_tasks.adapters.docker_cluster import addresses, policy
from norn_tasks.adapters.docker_cluster.entries import spare
from norn_tasks.adapters.docker_cluster.world import Seen
from norn_tasks.adapters.engine import APP, INSTANCE, Engine, moment
from norn_tasks.adapters.lines import decode
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, ReleaseGone, StepFailed
from norn_tasks.domain.job import Fence
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import Stop, Workload

T = TypeVar("T")

LAST_LINES = 20
GRACE = 10
"""Seconds between SIGTERM, or the signal that the image asks for, and SIGKILL."""

_AGAIN = 0.5
_LONGEST = 1000


class Ask(Protocol):
    """Makes one call to the engine and answers what it says."""

    def __call__(self, call: Callable[[APIClient], T], /) -> T: ...


def listed(ask: Ask, instance: str, app: str | None = None) -> list[dict[str, Any]]:
    """Lists this control plane's replicas as the engine sums them up; of one app or of all."""
    labels = [f"{INSTANCE}={instance}", policy.GENERATION, *([f"{APP}={app}"] if app is not None else [])]

    def ours(client: APIClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.containers(all=True, filters={"label": labels})
        return found

    return ask(ours)


def look(ask: Ask, instance: str, app: str | None = None) -> tuple[Seen, ...]:
    """Looks closely at this control plane's replicas."""
    closely = [see(ask, each["Id"]) for each in listed(ask, instance, app)]
    return tuple(each for each in closely if each is not None)


def see(ask: Ask, container: str) -> Seen | None:
    """Looks closely at one replica; None when it is gone."""
    try:
        found: dict[str, Any] = ask(lambda client: client.inspect_container(container))
    except NotFound:
        return None
    return _seen(found)


def _seen(found: dict[str, Any]) -> Seen:
    state, marks = found["State"], found["Config"]["Labels"]
    return Seen(
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
    )


class Containers:
    """The engine's side of one piece of work; `patience`: seconds for which an engine that is away is waited for.

    `outages` counts the calls that it did not answer. `hidden` is replaced in lines.
    """

    def __init__(
        self, engine: Engine, instance: str, stop: Stop, patience: float, hidden: Redaction = NOTHING_HIDDEN
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._stop = stop
        self._patience = patience
        self._hidden = hidden
        self.outages = 0

    def first_look(self, app: str) -> tuple[Seen, ...]:
        """Looks at all of the app's containers; raises EngineDown at once when the engine does not answer."""
        return look(self.at_once, self._instance, app)

    def look(self, app: str) -> tuple[Seen, ...]:
        """Looks at all of the app's containers."""
        return look(self.patiently, self._instance, app)

    def see(self, container: str) -> Seen | None:
        """Looks at one."""
        return see(self.patiently, container)

    def create(self, workload: Workload, index: int, fence: Fence) -> str | None:
        """Makes a container that is not started; None when there is one of its name, to be seen at the next look."""
        subnet = self.patiently(lambda _: addresses.ensure(self._engine))
        name = policy.name(workload, index, self._instance)
        marks = policy.marks(workload, index, fence, self._instance)

        def make(client: APIClient) -> str:
            rest = policy.container(client, workload, addresses.draw(client, subnet))
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
        """Starts it; one that runs is fine."""
        self.patiently(lambda client: client.start(container))

    def keep_up(self, container: str) -> bool:
        """Has the engine restart it from now on, whenever it ends; false when it is gone."""

        def change(client: APIClient) -> None:
            # The type stubs know two of the engine's four policies.
            client.update_container(container, restart_policy={"Name": "unless-stopped"})  # type: ignore[arg-type]

        try:
            self.patiently(change)
        except NotFound:
            return False
        return True

    def end(self, containers: Iterable[str]) -> None:
        """Ends them all at once, gently at first, and answers when none runs any more."""
        ids = list(containers)
        with ThreadPoolExecutor(max(1, len(ids))) as pool:
            list(pool.map(self._end, ids))

    def remove(self, container: str) -> None:
        """Removes it, and answers when it is gone; none is fine."""
        self.patiently(lambda _: self._engine.take_away(container))

    def discard(self, container: str) -> bool:
        """Removes it even when this work was told to stop; false when the engine does not answer soon."""
        try:
            self._engine.take_away(container, within=10)
        except (EngineDown, StepFailed):
            return False
        return True

    def last_lines(self, container: str) -> list[str]:
        """Answers the last lines that it wrote, on either stream, in order; none when they cannot be had."""
        try:
            data: bytes = self.patiently(lambda client: client.logs(container, tail=LAST_LINES + spare(self._hidden)))
        except (NotFound, StepFailed, Conflict):
            return []
        return [line[:_LONGEST] for line in decode(self._hidden.of_bytes(data)).splitlines()][-LAST_LINES:]

    def at_once(self, call: Callable[[APIClient], T], /) -> T:
        """Makes one call; raises EngineDown when it is not answered."""
        return self._engine.promptly(call, self._stop)

    def patiently(self, call: Callable[[APIClient], T], late: Callable[[T], None] | None = None, /) -> T:
        """Makes one call, again and again while the engine is away and patience lasts."""
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

    def _end(self, container: str) -> None:
        try:
            self.patiently(lambda client: client.stop(container, timeout=GRACE))
        except (NotFound, Conflict, StepFailed):
            # It is gone, or on its way; else its removal, by force, comes next and says what is wrong.
            return

    def _undo(self, container: str) -> None:
        """Takes away a container whose creation was answered too late; what a next owner may have adopted is left."""
        if self._stop.reason == "cancelled":
            self.discard(container)

    def _expect_ours(self, name: str, error: Conflict) -> None:
        try:
            found = self.patiently(lambda client: client.inspect_container(name))
        except NotFound:
            return
        if (found["Config"]["Labels"] or {}).get(INSTANCE) != self._instance:
            raise Conflict(f"a container that is not ours has the name {name}", hint=f"docker rm -f {name}") from error
        self._stop.wait(0.1)
        self._stop.check()


def gone(workload: Workload) -> ReleaseGone:
    """Answers the error that says that the release cannot run any more."""
    return ReleaseGone(
        f"the image {workload.image} of {workload.app} is not on this engine any more",
        hint=f"norn deploy {workload.app}",
    )
