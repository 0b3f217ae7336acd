"""The hooks of a job: the ledger records each stage of its container before the adapter continues."""

from __future__ import annotations

from collections.abc import Callable

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.pipelines.failpoints import Point
from norn_tasks.pipelines.runner.needs import JobLedger
from norn_tasks.ports import Runtime, StartsAtOnce, Tools


class ContainerHooks:
    """Records each stage of a container before the adapter continues (ports.Hooks)."""

    def __init__(self, ledger: JobLedger, job: Job, tools: Tools, reach: Callable[[Point], None]) -> None:
        self._ledger, self._job, self._tools, self._reach = ledger, job, tools, reach
        self.has_begun = job.execution is not None and job.execution.adopt
        """True if the code has begun: started by this worker, or by an earlier worker of the job, whose container may
        still run.
        """
        self.taken_back: int | None = None
        self._unrecorded: ContainerRef | None = None

    def created(self, container: str) -> None:
        """Records the container, so that another worker that takes the job over can find it."""
        self._reach(Point.CREATED)
        recorded = self._recorded(container)
        if self._job.execution is not None and isinstance(self._runtime, StartsAtOnce):
            self._unrecorded = recorded
            return
        self._ledger.record_container(self._job.fence, recorded)
        self._reach(Point.RECORDED)

    @property
    def _runtime(self) -> Runtime:
        return self._tools.runtimes[self._job.runtime]

    def _recorded(self, container: str) -> ContainerRef:
        """Returns the container with its runtime and engine; all containers of a job have the same runtime."""
        runtime = self._runtime
        engine = self._job.here.get(runtime.engine) or self._tools.engines[runtime.engine].identity()
        return ContainerRef(runtime.name, engine, container)

    def begun(self) -> None:
        """Records that the code begins; raises LeaseLost if another worker has the job."""
        execution = self._job.execution
        if execution is not None:
            before = execution.runs if self.taken_back is None else self.taken_back
            self._ledger.begin_code(self._job.fence, before, self._unrecorded)
        else:
            self._ledger.check(self._job.fence)
        self.has_begun = True
        if self._unrecorded is not None:
            self._reach(Point.RECORDED)
        self._reach(Point.BEGUN)

    def never_begun(self) -> int:
        """Records that the code did not begin after all; returns how many starts of the code remain counted."""
        self.has_begun = False
        self.taken_back = self._ledger.take_back_run(self._job.fence)
        return self.taken_back
