"""The step that runs the container of a cron run, a function call or a one-off, or takes it over from a worker that
died.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from norn_tasks.domain.causes import of_a_call, with_cause
from norn_tasks.domain.errors import InvalidRequest, NornError, ReleaseGone, Stopped
from norn_tasks.domain.functions import cgi
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.words import Response
from norn_tasks.domain.jobs.call import environment
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import (
    OF_A_CALL,
    OF_A_COMMAND,
    OF_A_RUN,
    ContainerExit,
    ExecutionState,
    ExecutionVerdict,
    bad_response,
    judge,
)
from norn_tasks.domain.jobs.job import JobKind, Problem
from norn_tasks.domain.jobs.requests import CronRunJobRequest, InvokeJobRequest, RunJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.ports import Run, RunClient
from norn_tasks.steps.environment import environment_of
from norn_tasks.steps.redacted_terminal import RedactedTerminal
from norn_tasks.steps.step import Step, StepContext

ADOPTABLE_STDIN = 64 * 1024
"""A body of at most this size is sent to the engine completely before the code begins, so that a worker that takes the
job over can adopt the run.
"""
SHORTEST = 0.1
SYNC_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a synchronous call that took too long; the time is short because its client
waits.
"""


class RunContainer(Step):
    """Runs the code of an execution to its end, and decides its verdict."""

    name = "run-container"

    def run(self, context: StepContext) -> Learned | None:
        """Records how the execution ended; if it ended badly, the job fails too."""
        return _learned(self._finished(context))

    def _finished(self, context: StepContext, client: RunClient | None = None) -> ExecutionVerdict:
        mounts = context.volumes.ready(context.job.app, context.spec.volumes)
        context = _as_it_stands(context)
        run = replace(run_of(context, client), mounts=mounts)
        ended = _taken_over(context, run)
        if ended is not None and ended.never_started:
            context.hooks.never_begun()
            run, ended = replace(run_of(_as_it_stands(context), client), mounts=mounts), None
        ended = ended or context.with_image(lambda: context.runtime.run(run, context.hooks, context.watch))
        return _judged(context.job, context.spec, run, ended)


class RunCommand(RunContainer):
    """Runs a one-off command for a client that may read its output, or is connected to it."""

    name = "run-command"
    watched = True

    def run(self, context: StepContext) -> Learned | None:
        """Records the run's end, and sends the exit code to a connected client. If the client disconnects, the run is
        ended.
        """
        request = context.job.request_as(RunJobRequest)
        if request.client is None:
            return super().run(context)
        for sealed in context.job.sealed:
            context.tools.vault.open(sealed)  # a secret that cannot be decrypted could not be hidden in the output
        reader = context.tools.live.terminal(context.job.id, context.watch)
        terminal = RedactedTerminal(reader, context.hidden, window=request.client.tty)
        client = RunClient(terminal, request.client.tty, request.client.size)
        try:
            finished = self._finished(_connected(context, terminal), client)
        except Stopped:
            if context.watch.stop.reason in ("cancelled", "lease_lost"):
                raise
            finished = _GONE if context.watch.stop.reason is None else _RESTARTED
        if finished.state in (ExecutionState.SUCCEEDED, ExecutionState.FAILED) and finished.ended.exit_code is not None:
            terminal.ended(finished.ended.exit_code)
        return _learned(finished)


_GONE = ExecutionVerdict(
    ExecutionState.CANCELLED, ContainerExit(None), "reader_gone", "stopped: the client disconnected"
)
_RESTARTED = ExecutionVerdict(
    ExecutionState.ERROR, ContainerExit(None), "worker_draining", "it was ended, because its worker is being stopped",
    "run it again",
)  # fmt: skip


def _connected(context: StepContext, terminal: RedactedTerminal) -> StepContext:
    """Returns the context with a stop that is also set when the client disconnects."""
    return replace(context, watch=replace(context.watch, stop=terminal.stop))


def _learned(finished: ExecutionVerdict) -> Learned:
    place = f" in the {finished.ended.place}" if finished.ended.place else ""
    note = f"{finished.state}{place}"
    return Learned(writes=(ExecutionFinished(finished),), note=note, failed=_problem(finished))


def _judged(job: Job, spec: Infraspec, run: Run, ended: ContainerExit) -> ExecutionVerdict:
    """Returns the verdict on the end of a run, by the limits in the infraspec. A bad verdict without a hint gets one
    that says where the output is.
    """
    limit, fields = spec.timeout, OF_A_RUN
    execution = job.required_execution().id
    hint = f"norn cron logs {job.app} {execution} has its output"
    if job.kind is JobKind.INVOKE:
        limit, fields = spec.function.timeout, OF_A_CALL
        hint = f"norn fn show {execution} has its output"
    if job.kind is JobKind.RUN:
        limit, fields = int(run.timeout), OF_A_COMMAND
        hint = f"norn runs show {execution} has its output"
    finished = judge(ended, timeout=limit, memory=run.memory, output=run.max_output, fields=fields)
    if job.kind is JobKind.INVOKE and spec.function.response is Response.CGI:
        finished = _readable(finished)
    explained = of_a_call if job.kind is JobKind.INVOKE else with_cause
    finished = explained(finished, run.evidence)
    bad = finished.state is not ExecutionState.SUCCEEDED
    return replace(finished, hint=finished.hint or hint) if bad else finished


def _readable(finished: ExecutionVerdict) -> ExecutionVerdict:
    """Returns the verdict; if the output does not have the form of `response: cgi`, returns a verdict of failure."""
    out = finished.ended.stdout
    if finished.state is ExecutionState.SUCCEEDED:
        try:
            cgi.parse(out.head + out.tail)
        except InvalidRequest as error:
            return bad_response(finished.ended, error.sentence, error.hint)
    return finished


def _as_it_stands(context: StepContext) -> StepContext:
    """Returns the context. If the ledger has taken back a start that never happened, the context's job has the lower
    number of starts, and no container.

    If the engine then becomes unreachable, the runner repeats the step with the job as it was claimed, and this
    function corrects the job again.
    """
    runs = context.hooks.taken_back
    if runs is None:
        return context
    execution = replace(context.job.required_execution(), runs=runs, adopt=False)
    return replace(context, job=replace(context.job, execution=execution, container=None))


def _taken_over(context: StepContext, run: Run) -> ContainerExit | None:
    """Returns how the container of an earlier owner ended; None if the code may be started now. Raises WorkerLost if
    the code may not be started again.

    A container that an earlier owner recorded is adopted or removed before anything new is started.
    """
    job, execution = context.job, context.job.required_execution()
    if job.container is not None:
        if execution.adopt and run.client is None and (run.stdin is None or len(run.stdin) <= ADOPTABLE_STDIN):
            ended = context.tools.runtimes[job.container.runtime].adopt(run, job.container.id, context.watch)
            if ended is not None:
                return ended
        else:
            context.remove_recorded()
    if execution.runs >= execution.max_runs:
        raise WorkerLost("the worker died while the code ran; whether the code ended is not known",
                         hint="run it again if that is safe")  # fmt: skip
    return None


class WorkerLost(NornError):
    """The code was begun by a worker that died. The outcome is unknown, and the code may not run again."""

    code, status = "worker_lost", 502


def run_of(context: StepContext, client: RunClient | None = None) -> Run:
    """Returns the description of the container for the job's execution. A one-off of a long-running app may write to
    its root file system. Raises ReleaseGone if the release has no image.
    """
    job, spec, limits = context.job, context.spec, context.tools.limits
    execution = job.required_execution()
    if execution.image_id is None:
        raise ReleaseGone(f"release {job.release} of {job.app} has no image", hint=f"norn deploy {job.app}")
    is_call, timeout = job.kind is JobKind.INVOKE, _timeout(job, spec)
    argv = job.request.command if isinstance(job.request, RunJobRequest) else spec.argv()
    return Run(
        name=f"norn-x-{execution.id}-{limits.instance}",
        app=job.app,
        owner=f"execution:{execution.id}",
        image=execution.image_id,
        argv=tuple(argv) if argv is not None else None,
        env=_environment(job),
        secrets=context.secrets(),
        published=context.published or "",
        tag=context.tag_of(execution.image_id) if context.published is None else "",
        hidden=context.hidden,
        timeout=timeout,
        memory=spec.function.memory if is_call else spec.resources.memory or limits.run_memory,
        cpus=spec.resources.cpu or limits.run_cpus,
        network=spec.network,
        services=bool(spec.services.grants()),
        writable=spec.container.writable or (job.kind is JobKind.RUN and spec.role.long_running),
        stdin=execution.call.body if execution.call is not None else None,
        client=client,
        passed_on=_passed_on(context),
        max_output=spec.function.max_output if is_call else None,
        grace=SYNC_GRACE if execution.sync else float(spec.stop_grace),
        until=time.monotonic() + timeout if execution.sync else None,
        # The engine needs no log of a run that no later owner can take over.
        logged=not execution.sync and client is None,
    )


def _passed_on(context: StepContext) -> Callable[[bytes], None] | None:
    """Returns a function that receives the output, for a call whose client reads it while the code runs; otherwise
    None.
    """
    request = context.job.request
    streams = isinstance(request, InvokeJobRequest) and request.stream
    return context.tools.live.pieces(context.job.id) if streams else None


def _timeout(job: Job, spec: Infraspec) -> float:
    """Returns the time limit in seconds; for a synchronous call, the part that is left since the call was accepted."""
    execution = job.required_execution()
    if isinstance(job.request, RunJobRequest):
        return float(job.request.timeout)
    if job.kind is JobKind.CRON_RUN:
        return float(spec.timeout)
    if execution.sync and execution.remaining is not None:
        return max(SHORTEST, execution.remaining)
    return float(spec.function.timeout)


def _environment(job: Job) -> dict[str, str]:
    execution = job.required_execution()
    norn = {"NORN_EXECUTION_ID": str(execution.id), "NORN_ATTEMPT": str(execution.runs + 1)}
    if isinstance(job.request, CronRunJobRequest) and execution.scheduled_for is not None:
        norn["NORN_SCHEDULED_AT"] = execution.scheduled_for.isoformat().replace("+00:00", "Z")
        norn["NORN_CATCHUP"] = "1" if job.request.trigger is RunTrigger.CATCHUP else "0"
    if isinstance(job.request, RunJobRequest) and job.request.client is not None and job.request.client.term:
        norn["TERM"] = job.request.client.term
    if execution.call is not None:
        norn |= environment(execution.call, invocation=execution.id, deadline=execution.deadline)
    return environment_of(job, **norn)


def _problem(finished: ExecutionVerdict) -> Problem | None:
    if finished.state is ExecutionState.SUCCEEDED:
        return None
    return Problem(finished.cause, finished.sentence, finished.hint)
