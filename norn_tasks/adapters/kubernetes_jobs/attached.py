"""A run whose client is connected: it has a terminal or an input, and ends when its client leaves.

A cluster starts a container before anybody can connect to it, so the first output would be lost. Therefore the
container of such a run only waits, and the command is started in it together with the connection, as `norn exec` starts
a program in a replica. The command has the image, the environment and the limits of the container.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from norn_tasks.adapters.docker.frames import STDERR, STDOUT
from norn_tasks.adapters.kubernetes.execs import PodExec
from norn_tasks.adapters.kubernetes_jobs.ends import RunPod, seen_pod
from norn_tasks.adapters.kubernetes_jobs.following import RunJob
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import ClusterDown, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import ExecCommand, RunClient, Stop, Typed

_LOOK = 0.25
_NOT_FOUND, _INFRASTRUCTURE = 127, 125
_TIME_IS_UP = "timeout"


class AttachedRun(RunJob):
    """The Job of a run whose client is connected."""

    def followed(self) -> ContainerExit:
        """Waits until the pod's container has started, and runs the command in it to its end; raises Stopped when the
        client leaves.
        """
        while True:
            try:
                pod = seen_pod(self._engine.pods(self.id), None)
                end = self._without_pod() if pod is None else self._not_ready(pod)
            except ClusterDown:
                self._until_later()
                continue
            if end is not None:
                return self._unless_cancelled(end)
            if pod is not None and pod.started is not None:
                return self._command(pod)
            time.sleep(_LOOK)

    def _not_ready(self, pod: RunPod) -> ContainerExit | None:
        """Returns the end of a run whose pod cannot start or has ended; None otherwise. Raises Stopped when the client
        has left.
        """
        self._heed()
        self._pod = pod
        return self._not_started(pod) if pod.started is None or pod.over else None

    def _command(self, pod: RunPod) -> ContainerExit:
        client, outputs, began = self._run.client, Outputs(self._run), datetime.now(UTC)
        assert client is not None, "a run without a client has no command to attach"
        stop = _TimedStop(client.terminal.stop, time.monotonic() + self._run.seconds)
        try:
            end = self._executed(pod, client, _Window(client, outputs, stop))
        except Stopped as error:
            ended = self._dated(ContainerExit(None, timed_out=stop.passed), outputs, began)
            if not stop.passed:
                raise Stopped(error.sentence, **{**error.facts, "ended": ended}) from error
            return ended
        return self._dated(end, outputs, began)

    def _executed(self, pod: RunPod, client: RunClient, window: _Window) -> ContainerExit:
        """Runs the command; returns its end without its output."""
        run, argv = self._run, self._run.argv or ()
        # For a program with a terminal, the node sets another TERM than its container has.
        term = run.env.get("TERM", "")
        command = ExecCommand(run.app, argv, run.name, tty=client.tty, term=term, size=client.size)
        try:
            return ContainerExit(PodExec(self._engine.api, pod.name, command, window).run())
        except NotFound as error:
            if seen_pod(self._engine.pods(self.id), pod.uid) is None:
                return ContainerExit(None, interrupted=True)
            return ContainerExit(_NOT_FOUND, stderr=Captured(f"{error.hint}\n".encode()))
        except StepFailed as error:
            return ContainerExit(_INFRASTRUCTURE, stderr=Captured(f"{error.sentence}\n".encode()))
        except ClusterDown as error:
            return ContainerExit(None, interrupted=True, stderr=Captured(f"{error.sentence}\n".encode()))

    @staticmethod
    def _dated(end: ContainerExit, outputs: Outputs, began: datetime) -> ContainerExit:
        stdout, stderr = outputs.captured()
        return replace(
            end, stdout=stdout, stderr=end.stderr if end.stderr.head else stderr, started_at=began,
            finished_at=datetime.now(UTC),
        )  # fmt: skip


@dataclass
class _TimedStop:
    """The stop of the client, which is also set when the time of the run is up."""

    client: Stop
    until: float
    passed: bool = False

    @property
    def reason(self) -> str | None:
        """The reason of the client's stop, or that the time is up."""
        found = self.client.reason
        if found is None and time.monotonic() >= self.until:
            self.passed = True
            return _TIME_IS_UP
        return found

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most `seconds`, and returns True at once when the stop is set."""
        return self.client.wait(max(0.0, min(seconds, self.until - time.monotonic()))) or self.reason is not None

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        self.client.check()
        if self.reason is not None:
            raise Stopped("the time of the run is up", reason=_TIME_IS_UP)


@dataclass(frozen=True)
class _Window:
    """The terminal of the client; its output is also kept for the record."""

    client: RunClient
    outputs: Outputs
    stop: _TimedStop

    def typed(self, seconds: float) -> Typed | None:
        """Waits for the next input, for at most `seconds`."""
        return self.client.terminal.typed(seconds)

    def wrote(self, stream: str, data: bytes) -> None:
        """Keeps output, and passes it on."""
        self.outputs.feed(STDERR if stream == "stderr" else STDOUT, data)
        self.client.terminal.wrote(stream, data)

    def ended(self, exit_code: int) -> None:
        """Does nothing: the step sends the exit code when the run has ended."""
