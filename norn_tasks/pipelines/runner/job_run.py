"""The run of one job: its steps one after the other, and its end or its return to the queue."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import structlog

from norn_tasks.domain.errors import DatabaseDown, EngineDown, HostTaken, LeaseLost, NornError, Postponed, Stopped
from norn_tasks.domain.infraspec import from_json
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.step import Learned, Resume, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import SpecLearned
from norn_tasks.domain.redaction import NOTHING_HIDDEN
from norn_tasks.pipelines.failpoints import Point
from norn_tasks.pipelines.redacting import hidden_learned, hidden_problem, known_secrets
from norn_tasks.pipelines.runner.attempts import run_step
from norn_tasks.pipelines.runner.hooks import ContainerHooks
from norn_tasks.pipelines.runner.needs import RunnerParts, RunnerStop
from norn_tasks.pipelines.runner.problems import defect, full_disk, judged, problem_of, state_after
from norn_tasks.pipelines.uncancelled import UncancelledStop
from norn_tasks.ports import Stop
from norn_tasks.steps.step import Step

log = structlog.get_logger()
ONCE_SECONDS = 25.0
"""The seconds that a draining worker gives to a step that must not be repeated."""


class JobRun:
    """One job that is being run."""

    def __init__(self, parts: RunnerParts, job: Job, stop: RunnerStop) -> None:
        self._parts, self._job, self._stop = parts, job, stop
        self._ledger = parts.ledger
        self._hooks = ContainerHooks(parts.ledger, job, parts.tools, self._reach)
        self._hidden = NOTHING_HIDDEN
        self._steps: tuple[Step, ...] = ()
        self._current: Step | None = None

    def _reach(self, point: Point) -> None:
        if self._current is not None:
            self._parts.reach(self._current.name, point)

    def through(self) -> JobState | None:
        """Runs all steps, and returns the state in which the job ended; None if it did not end here. An unexpected
        error ends the job too, with a traceback in the log.
        """
        try:
            if self._job.sealed:
                self._hidden = known_secrets(self._job, self._parts.tools.vault)
            return self._all_steps()
        except Postponed as error:
            return self._postponed(error)
        except (LeaseLost, Stopped) as error:
            return self._stopped(error.facts.get("ended"))
        except DatabaseDown:
            raise  # The job does not end here: the sweeper takes it over.
        except NornError as error:
            return self._fail(None, self._problem(error))
        except Exception as error:  # noqa: BLE001 - logged below, with the secrets hidden
            full = full_disk(error)
            if full is not None:
                return self._fail(None, full)
            where = self._hidden.of_text(traceback.format_exc())
            log.error("job failed by a defect", job=self._job.id, traceback=where)
            return self._fail(None, hidden_problem(self._hidden, defect(self._job, error)))

    def _all_steps(self) -> JobState | None:
        job = self._job
        self._steps = self._parts.pipelines[job.kind](job)
        # If a job has only one step, the step ends together with the job, so it cannot have ended before.
        done = self._ledger.steps(job.fence) if self._recorded else {}
        if job.deployment is not None and not done:
            self._ledger.plan(job.fence, [step.name for step in self._steps])
        last = len(self._steps)
        for n, step in enumerate(self._steps, 1):
            if self._resumes(step) is not Resume.REDO and done.get(step.name, StepState.RUNNING).done:
                continue
            # If an earlier worker has left a container, the stop is not checked here: the step itself ends that
            # container.
            if self._job.container is None:
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
        """Ends a job that an earlier worker left in a step that must not be repeated; the ledger adds the reason."""
        self._ledger.finish(self._job.fence, JobState.ERROR)
        return JobState.ERROR

    def _one_step(self, place: StepPosition, step: Step, *, last: bool) -> JobState | None:
        """Runs one step; returns the job's state if the job ended with this step, otherwise None."""
        reason = step.skip_reason(self._job.spec) if self._job.spec is not None else None
        if reason is not None:
            return self._close(place, StepEnd(StepState.SKIPPED, Learned(note=reason)), last)
        once = self._resumes(step) is Resume.NEVER
        if self._recorded or step.watched:
            self._ledger.begin_step(self._job.fence, place, step.stage, once=once)
        self._current = step
        self._parts.reach(step.name, Point.BEFORE)
        self._stop.spare(ONCE_SECONDS if once else 0.0)
        try:
            learned = hidden_learned(self._hidden, self._attempt(step, self._stop) or Learned())
        except (LeaseLost, Stopped, DatabaseDown):
            raise
        except NornError as error:
            if step.best_effort:
                return self._close(place, StepEnd(StepState.NOTED, problem=self._problem(error)), last)
            return self._fail((place, step), self._problem(error))
        self._parts.reach(step.name, Point.EFFECT)
        try:
            ended = self._close(place, judged(learned), last)
        except HostTaken as error:  # another app took the host while this revision was fetched
            return self._fail((place, step), self._problem(error))
        self._parts.reach(step.name, Point.AFTER)
        return ended

    def _attempt(self, step: Step, stop: Stop) -> Learned | None:
        return run_step(self._parts, self._job, step, stop, hooks=self._hooks, hidden=self._hidden)

    def _problem(self, error: NornError) -> Problem:
        return hidden_problem(self._hidden, problem_of(self._job, error))

    def _close(self, place: StepPosition, end: StepEnd, last: bool) -> JobState | None:
        if last and end.ends is None:
            end = replace(end, ends=JobState.SUCCEEDED)
        facts = self._ledger.end_step(self._job.fence, place, end, run_of=self._job.kind)
        self._job = replace(self._job, facts=facts, spec=_spec_of(self._job, end.learned))
        if end.learned.sealed is not None:
            self._job = replace(self._job, sealed=end.learned.sealed)
            self._hidden = known_secrets(self._job, self._parts.tools.vault)
        return end.ends

    def _fail(self, at: tuple[StepPosition, Step] | None, problem: Problem) -> JobState:
        """Ends the job as failed, with the step at which it failed. Steps that always run are run before that.

        If the step must not be repeated, its failure and the end of the job are one transaction. If the worker dies
        before that transaction, the step still counts as begun: the job needs attention, and is not queued again.
        """
        state = state_after(problem)
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
        """Returns the end of a cleanup step. If it failed, that is only noted, because the job has already ended."""
        try:
            self._attempt(step, UncancelledStop(self._stop))
        except (LeaseLost, Stopped, DatabaseDown):
            raise
        except NornError as error:
            return StepEnd(StepState.NOTED, problem=self._problem(error))
        return StepEnd(StepState.SUCCEEDED)

    def _postponed(self, error: Postponed) -> JobState | None:
        """Puts the job back into the queue, unless it was asked to stop since it began."""
        if self._stop.reason is not None:
            return self._stopped()
        log.info("job postponed", job=self._job.id, why=error.sentence)
        self._ledger.hand_back(self._job.fence, adopt=False, postponed=True)
        return None

    def _stopped(self, ended: ContainerExit | None = None) -> JobState | None:
        """Ends a job that was asked to stop, as the reason demands; `ended` is the end of its container, if known."""
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
        """Removes the container that an earlier worker has left, if there is one; returns False if its engine is
        unreachable.
        """
        container = self._job.container
        if container is None or self._hooks.taken_back is not None:
            return True
        tools = self._parts.tools
        try:
            tools.engines[tools.runtimes[container.runtime].engine].remove(container.id)
        except EngineDown as error:
            log.warning("job left to the sweeper", job=self._job.id, error=error.sentence)
            return False
        return True


def _spec_of(job: Job, learned: Learned) -> Any:
    specs = [write.spec for write in learned.writes if isinstance(write, SpecLearned)]
    return from_json(specs[-1]) if specs else job.spec
