"""Sends the signals that end a container: when its deadline makes them due, and again if they did not reach it."""

from __future__ import annotations

from concurrent.futures import Future

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed
from norn_tasks.ports import Stop


class ContainerSignals:
    """Sends signals to one container while its output is read."""

    last = ""
    """The last signal that was sent; empty if there was none."""

    def __init__(self, engine: EngineClient, container: str, stop: Stop) -> None:
        self._engine, self._container, self._stop = engine, container, stop
        self._sending: Future[None] | None = None

    def heed(self, deadline: Deadline) -> None:
        """Sends the signal that is due. After a cancellation SIGTERM is due. Raises Stopped if the job was stopped for
        another reason.
        """
        if self._stop.reason == "cancelled":
            deadline.cancel()
        else:
            self._stop.check()
        self._enforce(deadline)

    def _enforce(self, deadline: Deadline) -> None:
        """Sends the signal that is due, without waiting for the response.

        The engine answers a SIGKILL only when the container has ended. The container ends only when its last output has
        been read, and this same thread must read it.
        """
        if self._sending is not None and not self._sending.done():
            return
        self.settle(deadline)
        signal = deadline.due()
        if signal is not None:
            self.last = signal
            self._sending = self._engine.begin(lambda client: client.kill(self._container, signal))

    def settle(self, deadline: Deadline) -> None:
        """Records whether the last signal reached the container; if not, it is sent again while it is due."""
        if self._sending is None:
            return
        try:
            timeouts.wait(self._sending, self._stop)
            deadline.sent(self.last)
        except (NotFound, Conflict, StepFailed, EngineDown):
            # The container has ended by itself, or the engine is unreachable.
            return
        finally:
            self._sending = None
