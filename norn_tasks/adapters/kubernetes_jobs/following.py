"""Follows the Job of one run, from its start to its end and removal. The cluster may be unreachable for part of that
time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from norn_tasks.adapters.docker.frames import STDOUT
from norn_tasks.adapters.kubernetes.site import Seen
from norn_tasks.adapters.kubernetes_jobs.ends import RunPod, seen_pod
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.adapters.kubernetes_jobs.output import PodOutput
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.ownership import owned
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import ClusterDown, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import Hooks, Run, Watch

_LOOK, _AWAY = 0.5, 1.0
_LAST_WORDS = 3.0
"""Seconds for which output may still arrive after the container has ended."""
_STUCK, _PENDING = 15.0, 300.0
"""The most seconds for which a pod may fail to start: for a reason that rarely passes, and for any other reason."""
_CERTAIN = ("ErrImageNeverPull", "InvalidImageName")
"""The reasons that mean that a container can never start."""
_INFRASTRUCTURE = 125


class RunJob:
    """The Job named `id` of a run, in the hands of one owner (the worker that holds the run's job)."""

    def __init__(self, engine: KubernetesJobs, name: str, run: Run, watch: Watch, *, begun: bool) -> None:
        self.id = name
        self._engine, self._run, self._watch = engine, run, watch
        self._begun, self._adopted = begun, begun
        self._output: PodOutput | None = None
        self._deadline = Deadline(float("inf"), run.grace)
        say = watch.say if not begun and run.max_output is None else None
        self._outputs = Outputs(run, say, watch.err)
        self._pod: RunPod | None = None
        self._waiting = time.monotonic()
        self._stuck: float | None = None

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Removes the Job at the end of the block, or leaves it for the next owner."""
        with owned(self._run, self._watch, lambda: self._begun, self._discarded):
            try:
                yield
            finally:
                if self._output is not None:
                    self._output.close()

    def live(self, hooks: Hooks) -> ContainerExit:
        """Records that the code begins, starts the Job, reads its output, and returns how it ended."""
        hooks.begun()
        self._begun = True
        # If this worker was frozen here, it now notices that its lease is too old, and starts nothing.
        self._watch.stop.check()
        while True:
            try:
                self._start()
            except ClusterDown:
                # the cluster may have received the request to start; sending it again changes nothing
                self._until_later()
            except StepFailed as error:
                return ContainerExit(None, stderr=Captured(head=f"{error.sentence}\n".encode()))
            else:
                return self.followed()

    def followed(self) -> ContainerExit:
        """Reads the run until its end, and enforces its deadline. Raises Stopped if the job's cancellation ended the
        run, and also, without waiting for the run's end, if the job is stopped for another reason.
        """
        while True:
            try:
                end = self._look()
            except ClusterDown:
                self._until_later()
                continue
            if end is not None:
                return self._unless_cancelled(end)
            self._read(_LOOK)

    def _until_later(self) -> None:
        """Waits a moment, because the cluster is unreachable; raises Stopped."""
        self._watch.stop.wait(_AWAY)
        self._watch.stop.check()

    def _look(self) -> ContainerExit | None:
        """Reads the state of the pod once, and sends the signal that is due. Returns the end of the run, or None if it
        has not ended.
        """
        found = seen_pod(self._engine.pods(self.id), self._pod.uid if self._pod is not None else None)
        if found is None and self._pod is None:
            return self._without_pod()
        if found is None:
            return self._gone()
        self._pod = found
        if found.started is None:
            end = self._not_started(found)
        else:
            self._attend(found)
            end = self._ended(found) if found.over else None
        if end is None:
            self._heed()
        return end

    def _attend(self, pod: RunPod) -> None:
        """Starts to read the output and to measure the time, as soon as the run has started."""
        if self._output is not None:
            return
        self._output = PodOutput(self._engine.api, pod.name)
        age = (datetime.now(UTC) - pod.started).total_seconds() if self._adopted and pod.started is not None else 0.0
        cancelled = self._deadline.cancelled
        self._deadline = Deadline(self._run.seconds - max(0.0, age), self._run.grace)
        self._deadline.passed = pod.leaving and self._adopted and age >= self._run.timeout
        if cancelled:
            self._deadline.cancel()

    def _read(self, seconds: float) -> None:
        """Reads output for `seconds`, or for less if the log ends."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._output is None:
                time.sleep(left)
                return
            piece = self._output.take(min(left, 0.1))
            self._outputs.feed(STDOUT, piece)
            if not piece and self._output.over:
                time.sleep(0.05)
                return

    def _ended(self, pod: RunPod) -> ContainerExit:
        if self._output is not None:
            until = time.monotonic() + _LAST_WORDS
            while not self._output.over and time.monotonic() < until:
                self._outputs.feed(STDOUT, self._output.take(0.1))
            self._outputs.feed(STDOUT, self._output.rest())
        stdout, _ = self._outputs.captured()
        signalled = self._deadline.passed or self._deadline.cancelled
        return ContainerExit(
            pod.code,
            oom_killed=pod.oom_killed,
            timed_out=self._deadline.passed,
            interrupted=pod.interrupted and not signalled,
            stdout=stdout,
            stderr=Captured(head=f"{pod.message}\n".encode()) if pod.message else Captured(),
            started_at=pod.started,
            finished_at=pod.finished,
        )

    def _gone(self) -> ContainerExit:
        """Returns the end of a run whose pod was removed before its end was observed: at its deadline, or by somebody
        else.
        """
        assert self._pod is not None
        while self._output is not None and (piece := self._output.take(0.5)):
            self._outputs.feed(STDOUT, piece)
        if self._output is not None:
            self._outputs.feed(STDOUT, self._output.last())
        stdout, _ = self._outputs.captured()
        ours = self._deadline.passed or self._deadline.cancelled
        return ContainerExit(
            None, timed_out=self._deadline.passed, interrupted=not ours, stdout=stdout, started_at=self._pod.started,
            finished_at=datetime.now(UTC) if self._pod.started is not None else None,
        )  # fmt: skip

    def _without_pod(self) -> ContainerExit | None:
        """Returns the end of a run without a pod, if its Job has ended or no longer exists, or if Kubernetes has
        created no pod for too long; None if it may still get one.
        """
        seen = self._engine.api.get("Job", self.id)
        if seen is None or self._deadline.cancelled:
            return ContainerExit(None)
        status = seen.get("status") or {}
        if status.get("succeeded"):
            return ContainerExit(0)
        for each in status.get("conditions") or []:
            if each["type"] == "Failed" and each["status"] == "True":
                return ContainerExit(None, stderr=Captured(f"{each.get('message', '')}\n".encode()))
        self._heed()
        return self._given_up("the cluster has created no pod for the run: kubectl describe job says why")

    def _not_started(self, pod: RunPod) -> ContainerExit | None:
        """Returns the end of a run whose container cannot be started; None if it may still start."""
        if pod.over:
            return self._ended(pod)
        if not pod.trouble:
            self._stuck = None
        elif self._stuck is None:
            self._stuck = time.monotonic()
        lasting = self._stuck is not None and time.monotonic() - self._stuck > _STUCK and not pod.unscheduled
        if lasting or pod.trouble.startswith(_CERTAIN):
            return _refused(pod.trouble)
        return self._given_up(pod.trouble or "its pod has not started")

    def _given_up(self, why: str) -> ContainerExit | None:
        return _refused(why) if time.monotonic() - self._waiting > _PENDING else None

    def _heed(self) -> None:
        """Sends the signal that is due. After a cancellation SIGTERM is due. Raises Stopped if the job was stopped for
        another reason.
        """
        if self._watch.stop.reason == "cancelled":
            self._deadline.cancel()
        else:
            self._watch.stop.check()
        signal = self._deadline.due()
        if signal == "SIGTERM":
            # The node sends the pod SIGTERM, and SIGKILL after its grace period.
            self._engine.removed(self.id)
        if signal is not None:
            self._deadline.sent(signal)

    def _unless_cancelled(self, end: ContainerExit) -> ContainerExit:
        if self._deadline.cancelled:
            raise Stopped("the run was stopped: cancelled", reason="cancelled", ended=end)
        return end

    def _start(self) -> None:
        def start(seen: Seen) -> None:
            # The request contains the version of the Job, so it is refused if the Job has changed, for example because
            # a later owner removed it.
            exactly = {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": seen["metadata"]["resourceVersion"],
            }
            self._engine.api.patch(seen, [exactly, {"op": "replace", "path": "/spec/parallelism", "value": 1}])

        if not self._engine.on_job(self.id, start):
            raise StepFailed(f"the Job {self.id} was removed before it was started")

    def _discarded(self) -> bool:
        try:
            if self._watch.stop.reason == "cancelled":
                self._engine.take_away(self.id, self._run.grace + 10)
            else:
                self._engine.removed(self.id)
        except (ClusterDown, StepFailed):
            return False
        return True


def _refused(why: str) -> ContainerExit:
    return ContainerExit(_INFRASTRUCTURE, stderr=Captured(head=f"{why}\n".encode()))
