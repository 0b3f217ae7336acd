"""The client of the Docker engine, which all adapters for Docker share, and the labels of Norn's objects there. The
client turns the engine's errors into Norn's.

One client serves all threads of a process, and a forked child gets its own. (Measured: 32 threads are as quick with one
client as with 32, and one client needs fewer sockets.) A call that blocks in the client library cannot be interrupted.
So when a job waits for a call, the call runs on a thread of its own, and the job keeps checking whether it was stopped.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetDone
from datetime import UTC, datetime
from typing import Any, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.types import Mount as EngineMount

from norn_tasks.adapters import timeouts
from norn_tasks.domain.errors import Conflict, EngineDown, InvalidRequest, NotFound, StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import BuildOrder, Mount, Stop

T = TypeVar("T")

PREFIX = "norn.io/"
APP = "norn.io/app"
OWNER = "norn.io/owner"
JOB = "norn.io/job"
FENCE = "norn.io/fence"
ENGINE = "norn.io/engine"
INSTANCE = "norn.io/instance"

KEPT_BY_PRUNE = {"size": "0"}
"""Options that keep `docker system prune --volumes` from removing a volume while no container mounts it.

The engine does not prune volumes that have options. A size of 0 means no limit, on every file system.
"""
KEY = "norn.io/key"
STAGE = "norn.io/stage"
"""The label on an image that a step of the classic builder left; its value names the apps that use the image. Only
builds by Norn set it.
"""

PULLED = "norn-pulled"
"""The first part of the tags with which Norn keeps the images that apps take from a registry. The id of the control
plane and the name of the app follow it.
"""

_AGAIN = 1.0
"""Seconds before a call is repeated to an engine that did not respond."""

_POOL = 128
"""The most connections to the engine that may be open at the same time."""
_FOR_THE_MACHINE = 512 * 2**20
"""The least memory, in bytes, that is reserved for the machine itself."""
_NEVER = datetime(1, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


class EngineClient:
    """The client of a container engine at a unix socket; `timeout`: seconds after which a call without a response
    fails.
    """

    def __init__(self, address: str, *, timeout: int = 60) -> None:
        if not address.startswith("unix://"):
            raise InvalidRequest(
                f"the engine's address {address} is not a unix socket",
                hint="set NORN_DOCKER_HOST to unix:///var/run/docker.sock, or wherever the engine's socket is",
            )
        self.address = address
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._pid = 0

    def ask(self, call: Callable[[docker.APIClient], T]) -> T:
        """Makes one call and waits for its result.

        Raises NotFound, Conflict (the engine's 404 and 409), StepFailed (any other refusal) or EngineDown.
        """
        try:
            return call(self._connected())
        except APIError as error:
            raise _refusal(error) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, OSError) as error:
            raise self._down(error) from error

    def begin(self, call: Callable[[docker.APIClient], T]) -> Future[T]:
        """Starts a call on a thread of its own; the returned future raises the errors of `ask`."""
        return timeouts.begin(lambda: self.ask(call))

    def briefly(self, call: Callable[[docker.APIClient], T], seconds: float = 10) -> T:
        """Makes one call; raises EngineDown if the engine does not answer within `seconds`."""
        try:
            return self.begin(call).result(seconds)
        except NotYetDone as error:
            raise EngineDown(f"the engine at {self.address} did not answer in {seconds:g} s", hint=_HINT) from error

    def promptly(self, call: Callable[[docker.APIClient], T], stop: Stop, late: Callable[[T], None] | None = None) -> T:
        """Makes one call; raises Stopped if the stop is set before the response.

        If the result arrives after the stop, `late` is called with it, so that it can be undone.
        """
        return timeouts.wait(self.begin(call), stop, late)

    def patiently(self, call: Callable[[docker.APIClient], T], stop: Stop) -> T:
        """Makes one call, and repeats it while the engine is unreachable; raises Stopped when the stop is set."""
        while True:
            try:
                return self.promptly(call, stop)
            except EngineDown:
                stop.wait(_AGAIN)
                stop.check()

    def image(self, reference: str) -> dict[str, Any] | None:
        """Returns the engine's description of an image, by tag or id; None if it has no such image."""

        def inspect(client: docker.APIClient) -> dict[str, Any]:
            found: dict[str, Any] = client.inspect_image(reference)  # type: ignore[no-untyped-call]
            return found

        try:
            return self.ask(inspect)
        except NotFound:
            return None

    def take_away(self, container: str, within: float = 60) -> None:
        """Kills and removes a container, by id or name, and returns when it no longer exists; does nothing if it is
        missing.

        Raises EngineDown if the container still exists after `within` seconds.
        """
        until = time.monotonic() + within
        while (left := until - time.monotonic()) > 0:
            try:
                self.briefly(lambda client: client.remove_container(container, v=True, force=True), min(left, 10))
                return
            except NotFound:
                return
            except Conflict:
                # Another process is removing it at this moment.
                time.sleep(0.1)
        raise EngineDown(f"the engine has not removed the container {container} in {within:g} s", hint=_HINT)

    def now(self, stop: Stop | None = None) -> datetime:
        """Returns the time of the engine's clock. If a stop is given, it waits while the engine is unreachable;
        otherwise it raises EngineDown.
        """

        def time_of(client: docker.APIClient) -> str:
            time_there: str = client.info()["SystemTime"]
            return time_there

        return datetime.fromisoformat(self.briefly(time_of) if stop is None else self.patiently(time_of, stop))

    def memory_for_apps(self) -> int:
        """Returns how many bytes of the engine's memory apps may use. The machine keeps a fifth or 512 MiB, whichever
        is more, but never more than three quarters.
        """
        total: int = self.briefly(lambda client: client.info()["MemTotal"])
        return max(total - max(total // 5, _FOR_THE_MACHINE), total // 4)

    def _connected(self) -> docker.APIClient:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._client = docker.APIClient(
                    self.address, version="auto", timeout=self._timeout, max_pool_size=_POOL
                )
                self._pid = os.getpid()
            return self._client

    def _down(self, error: Exception) -> EngineDown:
        log.debug("the engine at %s did not answer: %s", self.address, error)
        return EngineDown(f"the container engine at {self.address} does not answer", hint=_HINT)


_HINT = "is the engine running? `docker info` on the worker's machine says more"


def was_sent(error: EngineDown) -> bool:
    """Returns False if the call got no connection, so that the engine cannot have carried it out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (FileNotFoundError, ConnectionRefusedError)):
            return False
        cause = cause.__cause__ or cause.__context__
    return True


def labels(app: str, owner: str, fence: Fence) -> dict[str, str]:
    """Returns the labels that Norn gives to every object that it creates in the engine."""
    return {APP: app, OWNER: owner, JOB: str(fence.job), FENCE: str(fence.token)}


def image_labels(order: BuildOrder) -> dict[str, str]:
    """Returns the labels of an image that is built for an app."""
    given = {APP: order.app, KEY: order.key, INSTANCE: order.instance}
    return {name: value for name, value in given.items() if value}


def sharers(labels: Mapping[str, str] | None) -> frozenset[str]:
    """Returns the apps that share the image of a build stage; an empty set for any other image."""
    return frozenset(filter(None, (labels or {}).get(STAGE, "").split(",")))


def mounted(mounts: Iterable[Mount]) -> list[EngineMount] | None:
    """Returns mounts in the form that the engine's API takes; None if the list is empty."""
    return [EngineMount(each.target, each.source, "bind" if each.host else "volume") for each in mounts] or None


def moment(text: str) -> datetime | None:
    """Parses a time of the engine (RFC 3339 with nanoseconds); returns None for year 1, with which the engine says
    "never".
    """
    at = datetime.fromisoformat(text)
    return at if at > _NEVER else None


def _refusal(error: APIError) -> NotFound | Conflict | StepFailed:
    said = str(error.explanation or error).strip()
    if error.status_code == 404:
        return NotFound(f"the engine says: {said}", said=said)
    if error.status_code == 409:
        return Conflict(f"the engine says: {said}", said=said)
    return StepFailed(f"the engine refused: {said}", said=said)
