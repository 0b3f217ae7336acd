"""Runs a pipeline: skips steps that are done or not needed, runs the others, and records all of this in the ledger.

Nothing else records the progress of a pipeline. The runner ends a job as succeeded, failed, in error or cancelled, or
hands it back to the queue when the worker drains or the job is postponed. It leaves a job without an end in two cases.
If the lease is lost, another worker has the job. If PostgreSQL is away for longer than the lease, or the engine is away
after a cancel, the sweeper takes the job over.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from norn_tasks.domain.errors import (
    ClusterDown,
    DatabaseDown,
    EngineDown,
    HostTaken,
    LeaseLost,
    NornError,
    Postponed,
    ServiceDown,
    Stopped,
)
from norn_tasks.domain.infraspec import from_json
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.jobs.facts import Facts
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import Learned, Resume, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import SpecLearned
from norn_tasks.domain.redaction import NOTHING_HIDDEN
from norn_tasks.pipelines import PIPELINES, Pipeline
from norn_tasks.pipelines.failpoints import FailpointHook, Point, inert
from norn_tasks.pipelines.redacting import hidden_learned, hidden_problem, hiding, known_secrets
from norn_tasks.pipelines.uncancelled import UncancelledStop
from norn_tasks.ports import Stop, Tools, Watch
from norn_tasks.steps.step import Step, StepContext

log = structlog.get_logger()
_ROOM = "free some room on the disk of its worker; norn doctor says where"
ENGINE_PAUSE = 1.0
ONCE_SECONDS = 25.0
"""Seconds that a draining worker gives to a step which must not be repeated."""
ERROR_CODES = (
    "worker_lost",
    "engine_down",
    "cluster_down",
    "release_gone",
    "infrastructure",
    "engine_restarted",
    "secrets_locked",
    "service_down",
)
"""Problems that are ours and not the app's: the job ends `error`."""


class JobLedger(Protocol):
    """The part of the ledger that the runner needs (`store.ledger.ledger.Ledger`)."""

    def steps(self, fence: Fence) -> dict[str, StepState]: ...
    def plan(self, fence: Fence, names: list[str]) -> None: ...
    def begin_step(
        self, fence: Fence, place: StepPosition, stage: DeploymentState | None, *, once: bool = False
    ) -> None: ...
    def end_step(self, fence: Fence, place: StepPosition, end: StepEnd) -> Facts: ...
    def finish(
        self,
        fence: Fence,
        state: JobState,
        problem: Problem | None = None,
        *,
        returns: bool = False,
        ended: ContainerExit | None = None,
    ) -> None: ...
    def hand_back(self, fence: Fence, *, adopt: bool, postponed: bool = False) -> None: ...
    def record_container(self, fence: Fence, container: ContainerRef) -> None: ...
    def begin_code(self, fence: Fence, before: int) -> None: ...
    def take_back_run(self, fence: Fence) -> int: ...
    def check(self, fence: Fence) -> None: ...


class RunnerStop(Stop, Protocol):
    """The stop of a job, which a draining worker sets."""

    def spare(self, seconds: float) -> None:
        """Lets the job go on for these seconds after its worker began to drain, if its class allows fewer."""


class StepSink(Protocol):
    """Takes a step's output: a call takes stdout, `err` takes stderr."""

    def __call__(self, text: str, /) -> None: ...
    def err(self, text: str) -> None: ...


class OpenStepLog(Protocol):
    """Opens the log of a step; output inside the block is written under the job's token."""

    def __call__(self, fence: Fence, step: str) -> AbstractContextManager[StepSink]: ...


@dataclass(frozen=True)
class Runner:
    """Runs jobs with the tools of this process."""

    ledger: JobLedger
    tools: Tools
    output: OpenStepLog
    reach: FailpointHook = inert
    pipelines: Mapping[JobKind, Pipeline] = field(default_factory=lambda: PIPELINES)

    def run(self, job: Job, stop: RunnerStop) -> JobState | None:
        """Runs the job to its end and returns its state; None if the job was handed back or lost."""
        try:
            return _Play(self, job, stop).through()
        except (LeaseLost, Stopped):  # Stopped: raised by the cleanup after the job's end
            log.warning("lease lost", job=job.id, token=job.fence.token)
        except DatabaseDown as error:
            log.warning("job left to the sweeper", job=job.id, error=error.sentence)
        return None


class _Hooks:
    """Records each stage of a container before the adapter continues (ports.Hooks)."""

    def __init__(self, ledger: JobLedger, job: Job, tools: Tools, reach: Callable[[Point], None]) -> None:
        self._ledger, self._job, self._tools, self._reach = ledger, job, tools, reach
        self.has_begun = job.execution is not None and job.execution.adopt
        """The code has begun: here, or with an earlier owner of the job, whose container may still run."""
        self.taken_back: int | None = None

    def created(self, container: str) -> None:
        self._reach(Point.CREATED)
        self._ledger.record_container(self._job.fence, self._recorded(container))
        self._reach(Point.RECORDED)

    def _recorded(self, container: str) -> ContainerRef:
        """Returns the container with its runtime and engine; all containers of a job have the same runtime."""
        runtime = self._tools.runtimes[self._job.runtime]
        engine = self._job.here.get(runtime.engine) or self._tools.engines[runtime.engine].identity()
        return ContainerRef(runtime.name, engine, container)

    def begun(self) -> None:
        execution = self._job.execution
        if execution is not None:
            self._ledger.begin_code(self._job.fence, execution.runs if self.taken_back is None else self.taken_back)
        else:
            self._ledger.check(self._job.fence)
        self.has_begun = True
        self._reach(Point.BEGUN)

    def never_begun(self) -> int:
        self.has_begun = False
        self.taken_back = self._ledger.take_back_run(self._job.fence)
        return self.taken_back


class _Play:
    """One job that is being run."""

    def __init__(self, runner: Runner, job: Job, stop: RunnerStop) -> None:
        self._runner, self._job, self._stop = runner, job, stop
        self._ledger = runner.ledger
        self._hooks = _Hooks(runner.ledger, job, runner.tools, self._reach)
        self._hidden = NOTHING_HIDDEN
        self._steps: tuple[Step, ...] = ()
        self._current: Step | None = None

    def _reach(self, point: Point) -> None:
        if self._current is not None:
            self._runner.reach(self._current.name, point)

    def through(self) -> JobState | None:
        """Runs all steps; an unforeseen error ends the job too, with a traceback in the log."""
        try:
            if self._job.sealed:
                self._hidden = known_secrets(self._job, self._runner.tools.vault)
            return self._all_steps()
        except Postponed as error:
            return self._postponed(error)
        except (LeaseLost, Stopped) as error:
            return self._stopped(error.facts.get("ended"))
        except DatabaseDown:
            raise  # this does not end the job: the sweeper takes it over
        except NornError as error:
            return self._fail(None, self._problem(error))
        except Exception as error:  # noqa: BLE001 - logged below, with the secrets hidden
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                return self._fail(None, Problem("disk_full", f"{error.filename}: {error.strerror}", _ROOM))
            where = self._hidden.of_text(traceback.format_exc())
            log.error("job failed by a defect", job=self._job.id, traceback=where)
            hint = f"the log of the {self._job.kind.job_class} worker says where: norn logs --server"
            problem = Problem("internal", f"internal error (a bug in Norn): {error!r}", hint)
            return self._fail(None, hidden_problem(self._hidden, problem))

    def _all_steps(self) -> JobState | None:
        job = self._job
        self._steps = self._runner.pipelines[job.kind](job)
        # The only step of a job ends together with the job, so it cannot be done yet.
        done = self._ledger.steps(job.fence) if self._recorded else {}
        if job.deployment is not None and not done:
            self._ledger.plan(job.fence, [step.name for step in self._steps])
        last = len(self._steps)
        for n, step in enumerate(self._steps, 1):
            if self._resumes(step) is not Resume.REDO and done.get(step.name, StepState.RUNNING).done:
                continue
            if self._job.container is None:  # else the step itself ends the container that an earlier owner started
                self._stop.check()
            if self._resumes(step) is Resume.NEVER and done.get(step.name) is StepState.RUNNING:
                return self._leave_to_a_person()
            state = self._one_step(StepPosition(n, step.name), step, last=n == last)
            if state is not None:
                return state
        self._ledger.finish(job.fence, JobState.SUCCEEDED)
        return JobState.SUCCEEDED

    def _resumes(self, step: Step) -> Resume:
        return step.resumes(self._job.spec)

    @property
    def _recorded(self) -> bool:
        """True if the start of each step is recorded; a job with a single repeatable step needs no record."""
        return len(self._steps) > 1 or any(self._resumes(step) is Resume.NEVER for step in self._steps)

    def _leave_to_a_person(self) -> JobState:
        """Ends a job that an earlier owner left inside a step which must not be repeated; the ledger adds a reason."""
        self._ledger.finish(self._job.fence, JobState.ERROR)
        return JobState.ERROR

    def _one_step(self, place: StepPosition, step: Step, *, last: bool) -> JobState | None:
        """Runs one step; returns the job's state if the job has ended with this step, else None."""
        reason = step.skip_reason(self._job.spec) if self._job.spec is not None else None
        if reason is not None:
            return self._close(place, StepEnd(StepState.SKIPPED, Learned(note=reason)), last)
        once = self._resumes(step) is Resume.NEVER
        if self._recorded or step.watched:
            self._ledger.begin_step(self._job.fence, place, step.stage, once=once)
        self._current = step
        self._runner.reach(step.name, Point.BEFORE)
        self._stop.spare(ONCE_SECONDS if once else 0.0)
        try:
            learned = hidden_learned(self._hidden, self._run(step, self._stop) or Learned())
        except (LeaseLost, Stopped, DatabaseDown):
            raise
        except NornError as error:
            if step.best_effort:
                return self._close(place, StepEnd(StepState.NOTED, problem=self._problem(error)), last)
            return self._fail((place, step), self._problem(error))
        self._runner.reach(step.name, Point.EFFECT)
        try:
            ended = self._close(place, _judged(learned), last)
        except HostTaken as error:  # another app took the host while this revision was fetched
            return self._fail((place, step), self._problem(error))
        self._runner.reach(step.name, Point.AFTER)
        return ended

    def _run(self, step: Step, stop: Stop) -> Learned | None:
        """Runs the step; while the engine, the cluster or a service is away, tries again, for at most the patience."""
        job, tools = self._job, self._runner.tools
        waited_for = job.execution is not None and job.execution.sync
        patience = tools.limits.engine_patience if step.patient and not waited_for else 0.0
        end = time.monotonic() + patience
        with (
            self._runner.output(job.fence, step.name) as sink,
            hiding(self._hidden, sink) as say,
            hiding(self._hidden, sink.err) as err,
        ):
            watch = Watch(job.fence, say, stop, err if step.watched else None)
            context = StepContext(job, tools, watch, self._hooks, self._hidden)
            while True:
                try:
                    return step.run(context)
                except (EngineDown, ClusterDown, ServiceDown) as error:
                    if time.monotonic() >= end:
                        raise
                    say(f"{error.sentence}; trying again\n")
                    stop.wait(ENGINE_PAUSE)
                    stop.check()
                except NornError as error:
                    for line in error.facts.get("last_lines", ()):
                        say(f"{line}\n")
                    raise

    def _problem(self, error: NornError) -> Problem:
        """Returns the problem with which the job ends; if the error has no hint, the hint names the steps' output."""
        hint = error.hint or f"norn jobs logs {self._job.id} has the output"
        return hidden_problem(self._hidden, Problem(error.code, error.sentence, hint))

    def _close(self, place: StepPosition, end: StepEnd, last: bool) -> JobState | None:
        if last and end.ends is None:
            end = replace(end, ends=JobState.SUCCEEDED)
        facts = self._ledger.end_step(self._job.fence, place, end)
        self._job = replace(self._job, facts=facts, spec=_spec_of(self._job, end.learned))
        if end.learned.sealed is not None:
            self._job = replace(self._job, sealed=end.learned.sealed)
            self._hidden = known_secrets(self._job, self._runner.tools.vault)
        return end.ends

    def _fail(self, at: tuple[StepPosition, Step] | None, problem: Problem) -> JobState:
        """Ends the job as failed, with the step at which it failed; steps that always run are run first.

        If the step must not be repeated, its failure and the end of the job are one transaction. If the worker dies
        before that transaction, the step still counts as begun: the job needs attention, and is not queued again.
        """
        state = JobState.ERROR if problem.code in ERROR_CODES else JobState.FAILED
        once = at is not None and self._resumes(at[1]) is Resume.NEVER
        end = StepEnd(StepState.FAILED, problem=problem, ends=state if once else None)
        if at is not None and not once:
            self._ledger.end_step(self._job.fence, at[0], end)
        self._tidy(after=at[0].n if at else 0)
        if at is not None and once:
            self._ledger.end_step(self._job.fence, at[0], end)
        else:
            self._ledger.finish(self._job.fence, state, problem, returns=at is not None and at[1].returns)
        return state

    def _tidy(self, after: int) -> None:
        for n, step in enumerate(self._steps, 1):
            if step.always and n > after:
                self._ledger.end_step(self._job.fence, StepPosition(n, step.name), self._tidied(step))

    def _tidied(self, step: Step) -> StepEnd:
        """Returns the end of a step that cleans up; its failure is only noted, because the job has ended already."""
        try:
            self._run(step, UncancelledStop(self._stop))
        except (LeaseLost, Stopped, DatabaseDown):
            raise
        except NornError as error:
            return StepEnd(StepState.NOTED, problem=self._problem(error))
        return StepEnd(StepState.SUCCEEDED)

    def _postponed(self, error: Postponed) -> JobState | None:
        """Puts the job back into the queue, unless it was asked to stop in the meantime."""
        if self._stop.reason is not None:
            return self._stopped()
        log.info("job postponed", job=self._job.id, why=error.sentence)
        self._ledger.hand_back(self._job.fence, adopt=False, postponed=True)
        return None

    def _stopped(self, ended: ContainerExit | None = None) -> JobState | None:
        """Ends a job that was asked to stop, according to the reason; `ended` is the end of its container, if known."""
        if self._stop.reason == "cancelled":
            if not self._without_container():
                return None
            self._tidy(after=0)
            returns = self._current is not None and self._current.returns
            problem = Problem("cancelled", "cancelled while it ran")
            self._ledger.finish(self._job.fence, JobState.CANCELLED, problem, returns=returns, ended=ended)
            return JobState.CANCELLED
        if self._stop.reason == "draining":
            self._ledger.hand_back(self._job.fence, adopt=self._hooks.has_begun and self._job.kind.takes_slot)
        return None

    def _without_container(self) -> bool:
        """Removes the container of an earlier owner, if there is one; returns False if its engine is away."""
        container = self._job.container
        if container is None or self._hooks.taken_back is not None:
            return True
        tools = self._runner.tools
        try:
            tools.engines[tools.runtimes[container.runtime].engine].remove(container.id)
        except EngineDown as error:
            log.warning("job left to the sweeper", job=self._job.id, error=error.sentence)
            return False
        return True


def _judged(learned: Learned) -> StepEnd:
    if learned.failed is None:
        return StepEnd(StepState.SKIPPED if learned.skipped else StepState.SUCCEEDED, learned)
    ends = JobState.ERROR if learned.failed.code in ERROR_CODES else JobState.FAILED
    return StepEnd(StepState.FAILED, learned, learned.failed, ends)


def _spec_of(job: Job, learned: Learned) -> Any:
    specs = [write.spec for write in learned.writes if isinstance(write, SpecLearned)]
    return from_json(specs[-1]) if specs else job.spec
