"""The container of a cron run, a function call or a one-off: run once, or taken over from a worker that died."""

from __future__ import annotations

import time
from dataclasses import replace

from norn_tasks.domain.call import environment
from norn_tasks.domain.errors import NornError, ReleaseGone
from norn_tasks.domain.execution import OF_A_CALL, OF_A_COMMAND, OF_A_RUN, Ended, ExecutionState, Finished, judge
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.job import Job, JobKind, Problem
from norn_tasks.domain.step import Learned
from norn_tasks.domain.writes import ExecutionFinished
from norn_tasks.ports import Run, Runtime
from norn_tasks.steps.step import Context, Step

ADOPTABLE_STDIN = 64 * 1024
"""A body up to this size is in the engine's hands before the code begins, so a later owner may wait for the answer."""
SHORTEST = 0.1
SYNC_GRACE = 1.0
"""Seconds from SIGTERM to SIGKILL for a synchronous call whose time is up: somebody waits for the answer."""


class RunContainer(Step):
    """Runs the code of an execution to its end, and judges it."""

    name = "run-container"

    def run(self, context: Context) -> Learned | None:
        """Ends the execution; the job fails with it when it ends badly."""
        mounts = context.tools.volumes.ready(context.job.app, context.spec.volumes)
        context = _as_it_stands(context)
        run = replace(run_of(context), mounts=mounts)
        runtime = context.tools.runtimes[context.spec.runtime]
        ended = _taken_over(context, run, runtime)
        if ended is not None and ended.never_started:
            context.hooks.never_begun()
            run, ended = replace(run_of(_as_it_stands(context)), mounts=mounts), None
        ended = ended or _let_go(context, run, runtime)
        finished = _judged(context.job, context.spec, run, ended)
        return Learned(writes=(ExecutionFinished(finished),), note=str(finished.state), failed=_problem(finished))


class RunCommand(RunContainer):
    """Runs a one-off command, for somebody who may be reading what it prints."""

    name = "run-command"
    watched = True


def _let_go(context: Context, run: Run, runtime: Runtime) -> Ended:
    """Runs it; an image that another engine has built is fetched first. Nothing is created before it is there."""
    try:
        return runtime.run(run, context.hooks, context.watch)
    except ReleaseGone:
        if not context.fetch_image():
            raise
        return runtime.run(run, context.hooks, context.watch)


def _judged(job: Job, spec: Infraspec, run: Run, ended: Ended) -> Finished:
    """Says what its end means, by the limits that the spec says; who has no other way out is sent to the output."""
    limit, fields = spec.timeout, OF_A_RUN
    hint = f"norn cron logs {job.app} {job.execution} has its output"
    if job.kind is JobKind.INVOKE:
        limit, fields = spec.function.timeout, OF_A_CALL
        hint = f"norn fn show {job.execution} has its output"
    if job.kind is JobKind.RUN:
        limit, fields = int(run.timeout), OF_A_COMMAND
        hint = f"norn runs show {job.execution} has its output"
    finished = judge(ended, timeout=limit, memory=run.memory, output=run.max_output, fields=fields)
    bad = finished.state is not ExecutionState.SUCCEEDED
    return replace(finished, hint=finished.hint or hint) if bad else finished


def _as_it_stands(context: Context) -> Context:
    """Answers the context with the job as the ledger has it: a run that was taken back is there again.

    An engine that goes away after that has the step run once more, with the job as it was claimed.
    """
    runs = context.hooks.taken_back
    if runs is None:
        return context
    return replace(context, job=replace(context.job, runs=runs, container=None, adopt=False))


def _taken_over(context: Context, run: Run, runtime: Runtime) -> Ended | None:
    """Answers how a container of an earlier owner ended; None when the code may (still, or again) be let go.

    Whatever an earlier owner recorded is adopted or removed before anything new is started.
    """
    job = context.job
    if job.container is not None:
        if job.adopt and (run.stdin is None or len(run.stdin) <= ADOPTABLE_STDIN):
            ended = runtime.adopt(run, job.container, context.watch)
            if ended is not None:
                return ended
        else:
            runtime.remove(job.container)
    if job.runs >= job.max_runs:
        raise WorkerLost("the worker died while the code ran; whether it ended is not known",
                         hint="run it again if that is safe")  # fmt: skip
    return None


class WorkerLost(NornError):
    """The code was begun by a worker that died, its outcome is not known, and it may not run again."""

    code, status = "worker_lost", 502


def run_of(context: Context) -> Run:
    """Builds the container of the job's execution."""
    job, spec, limits = context.job, context.spec, context.tools.limits
    if job.image_id is None:
        raise ReleaseGone(f"release {job.release} of {job.app} has no image", hint=f"norn deploy {job.app}")
    is_call, timeout = job.kind is JobKind.INVOKE, _timeout(job, spec)
    argv = job.args["command"] if job.kind is JobKind.RUN else spec.argv()
    return Run(
        name=f"norn-x-{job.execution}-{limits.instance}",
        app=job.app,
        owner=f"execution:{job.execution}",
        image=job.image_id,
        argv=tuple(argv) if argv is not None else None,
        env=_env(job, spec),
        secrets=context.secrets(),
        hidden=context.hidden,
        timeout=timeout,
        memory=spec.function.memory if is_call else spec.resources.memory or limits.run_memory,
        cpus=spec.resources.cpu or limits.run_cpus,
        network=spec.network,
        writable=spec.container.writable,
        stdin=job.call.body if job.call is not None else None,
        max_output=spec.function.max_output if is_call else None,
        grace=SYNC_GRACE if job.sync else Run.grace,
        until=time.monotonic() + timeout if job.sync else None,
        logged=not job.sync,
    )


def _timeout(job: Job, spec: Infraspec) -> float:
    """One clock: a synchronous call has what is left of its time since it was accepted."""
    if job.kind is JobKind.RUN:
        return float(job.args["timeout"])
    if job.kind is JobKind.CRON_RUN:
        return float(spec.timeout)
    if job.sync and job.remaining is not None:
        return max(SHORTEST, job.remaining)
    return float(spec.function.timeout)


def _env(job: Job, spec: Infraspec) -> dict[str, str]:
    told = {
        "NORN_APP": job.app,
        "NORN_RELEASE": str(job.release),
        "NORN_EXECUTION_ID": str(job.execution),
        "NORN_ATTEMPT": str(job.runs + 1),
    }
    if job.scheduled_for is not None:
        told["NORN_SCHEDULED_AT"] = job.scheduled_for.isoformat().replace("+00:00", "Z")
        told["NORN_CATCHUP"] = "1" if job.args.get("trigger") == "catchup" else "0"
    call = environment(job.call, invocation=job.execution or 0, deadline=job.deadline) if job.call is not None else {}
    return {**spec.env, **told, **call}


def _problem(finished: Finished) -> Problem | None:
    if finished.state is ExecutionState.SUCCEEDED:
        return None
    return Problem(finished.cause, finished.sentence, finished.hint)
