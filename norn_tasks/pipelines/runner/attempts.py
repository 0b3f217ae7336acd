"""Runs one step, and repeats it while the engine, the cluster or a service is unreachable."""

from __future__ import annotations

import time

from norn_tasks.domain.errors import ClusterDown, EngineDown, NornError, ServiceDown
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.redaction import Redaction
from norn_tasks.pipelines.redacting import hiding
from norn_tasks.pipelines.runner.needs import RunnerParts
from norn_tasks.ports import Hooks, Stop, Watch
from norn_tasks.steps.step import Step, StepContext

ENGINE_PAUSE = 1.0
"""Seconds between two attempts."""


def run_step(
    parts: RunnerParts, job: Job, step: Step, stop: Stop, *, hooks: Hooks, hidden: Redaction
) -> Learned | None:
    """Runs the step, and returns its result. While the engine, the cluster or a service is unreachable, a `patient`
    step is repeated for a limited time, unless a client waits for the end of the job.
    """
    waited_for = job.execution is not None and job.execution.sync
    patience = parts.tools.limits.engine_patience if step.patient and not waited_for else 0.0
    end = time.monotonic() + patience
    with (
        parts.output(job.fence, step.name) as sink,
        hiding(hidden, sink) as say,
        hiding(hidden, sink.err) as err,
    ):
        watch = Watch(job.fence, say, stop, err if step.watched else None)
        context = StepContext(job, parts.tools, watch, hooks, hidden)
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
