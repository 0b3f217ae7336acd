"""The client of the REST API of Incus, over its unix socket; it turns the refusals of Incus into Norn's errors.

When a call changes something, Incus returns an operation (an object that stands for the work), and the client waits for
the operation to end. Most refusals arrive as results of operations.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NotYetDone
from typing import Any, TypeVar

import httpx

from norn_tasks.adapters import timeouts
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed
from norn_tasks.ports import Stop

T = TypeVar("T")
Document = dict[str, Any]

_AGAIN = 1.0
"""Seconds before a call is repeated to an Incus that did not respond."""
_LOOK = 0.25
"""Seconds between two checks while a call is running."""
_POOL = httpx.Limits(max_connections=128, max_keepalive_connections=32)
_TAKEN = ("UNIQUE constraint", "already exists", "already defined", "is busy running", "is running")
"""Words in refusals that become the error Conflict: another process is changing the object, or a name is taken."""
_MISSING = ("not found", "Image not provided")

log = logging.getLogger(__name__)


class IncusApi:
    """The client of an Incus at a unix socket, for one project; `timeout`: seconds after which a call without a
    response fails.
    """

    def __init__(self, path: str, project: str = "norn", *, timeout: float = 60) -> None:
        self.path, self.project = path.removeprefix("unix://"), project
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._pid = 0

    def get(self, path: str, /, **query: str) -> Any:
        """Returns the object at a path; raises NotFound, StepFailed or EngineDown."""
        return self._answer(self._send("GET", path, query=query))["metadata"]

    def change(self, method: str, path: str, document: Document | None = None, /, **query: str) -> Any:
        """Sends a change, waits until Incus has done it, and returns the result of the operation.

        Raises NotFound; Conflict if a name is taken or an instance is busy; StepFailed for another refusal; EngineDown
        if the answer was lost.
        """
        return self._done(self._answer(self._send(method, path, query=query, json=document)))

    def upload(self, path: str, content: Any, headers: Mapping[str, str], /, **query: str) -> Any:
        """Sends bytes, and waits until Incus has accepted them; raises the errors of `change`."""
        return self._done(self._answer(self._send("POST", path, query=query, content=content, headers=headers)))

    def read(self, path: str, headers: Mapping[str, str], /, **query: str) -> bytes:
        """Returns the bytes of a file, or no bytes if the wanted range begins after its end; raises NotFound,
        StepFailed or EngineDown.
        """
        response = self._send("GET", path, query=query, headers=headers)
        if response.status_code == 416:
            return b""
        if not response.is_success:
            self._answer(response)
        return response.content

    def briefly(self, call: Callable[[], T], seconds: float = 10, check: Callable[[], None] = lambda: None) -> T:
        """Makes one call; raises EngineDown if it is not answered within `seconds`. `check` is called while waiting;
        its errors are raised too.
        """
        future, until = timeouts.begin(call), time.monotonic() + seconds
        while True:
            try:
                return future.result(min(_LOOK, max(0.0, until - time.monotonic())))
            except NotYetDone as error:
                check()
                if time.monotonic() >= until:
                    what = f"the Incus at {self.path} did not answer in {seconds:g} s"
                    raise EngineDown(what, hint=HINT) from error

    def promptly(self, call: Callable[[], T], stop: Stop, late: Callable[[T], None] | None = None) -> T:
        """Makes one call; raises Stopped if the stop is set before the result arrives. A result that arrives later is
        passed to `late`.
        """
        return timeouts.wait(timeouts.begin(call), stop, late)

    def patiently(self, call: Callable[[], T], stop: Stop) -> T:
        """Makes one call, and repeats it while Incus is unreachable; raises Stopped when the stop is set."""
        while True:
            try:
                return self.promptly(call, stop)
            except EngineDown:
                stop.wait(_AGAIN)
                stop.check()

    def _send(self, method: str, path: str, query: Mapping[str, str], **more: Any) -> httpx.Response:
        try:
            return self._connected().request(method, path, params={"project": self.project, **query}, **more)
        except (httpx.HTTPError, OSError) as error:
            raise self._down(error) from error

    def _done(self, answer: Document) -> Any:
        """Waits until the operation in an answer has ended, and returns its result; raises EngineDown if Incus no
        longer knows the operation.
        """
        if answer.get("type") != "async":
            return answer.get("metadata")
        try:
            done = self.get(f"{answer['operation']}/wait", timeout=str(int(self._timeout)))
        except NotFound as error:
            raise EngineDown("Incus was restarted before it had answered", hint=HINT) from error
        if done["status_code"] != 200:
            raise _refusal(int(done["status_code"]), str(done["err"]))
        return done.get("metadata") or {}

    def _answer(self, response: httpx.Response) -> Document:
        try:
            answer: Document = response.json()
        except ValueError as error:
            raise self._down(error) from error
        if answer.get("type") == "error":
            if "context deadline exceeded" in str(answer.get("error")) and "/wait" in response.url.path:
                raise EngineDown(f"the Incus at {self.path} did not end an operation in {self._timeout:g} s", hint=HINT)
            raise _refusal(int(answer["error_code"]), str(answer["error"]))
        return answer

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                transport = httpx.HTTPTransport(uds=self.path, limits=_POOL)
                patience = httpx.Timeout(self._timeout + 5, connect=5)
                self._client = httpx.Client(transport=transport, base_url="http://incus", timeout=patience)
                self._pid = os.getpid()
            return self._client

    def _down(self, error: Exception) -> EngineDown:
        log.debug("the Incus at %s did not answer: %s", self.path, error)
        return EngineDown(f"the Incus at {self.path} does not answer", hint=HINT)


HINT = "is it running, and may this user write to its socket? NORN_INCUS_SOCKET names it; `incus info` says more"


def again(call: Callable[[], T], within: float) -> T:
    """Repeats a call while it raises Conflict; raises Conflict if the call still fails after `within` seconds."""
    until = time.monotonic() + within
    while True:
        try:
            return call()
        except Conflict:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _refusal(status: int, said: str) -> NotFound | Conflict | StepFailed:
    if status == 404 or any(word in said for word in _MISSING):
        return NotFound(f"Incus says: {said}", said=said)
    if status in (409, 412) or any(word in said for word in _TAKEN):
        return Conflict(f"Incus says: {said}", said=said)
    return StepFailed(f"Incus refused: {said}", said=said)
