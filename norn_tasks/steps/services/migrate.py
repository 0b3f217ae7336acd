"""The migration of an app's database: a command in a container of the new image, before the image gets requests."""

from __future__ import annotations

from norn_tasks.domain.causes import with_cause
from norn_tasks.domain.errors import StepFailed, TimedOut
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.execution import ExecutionState, ExecutionVerdict, judge
from norn_tasks.domain.jobs.facts import BuiltImage
from norn_tasks.domain.jobs.step import MIGRATE_DATABASE, Learned, Resume
from norn_tasks.domain.jobs.writes import DatabaseMigrated
from norn_tasks.ports import Run
from norn_tasks.steps.environment import environment_of
from norn_tasks.steps.step import Step, StepContext

NAME = "norn-x-m"
"""The beginning of the name of a migration's container."""


class MigrationFailed(StepFailed):
    """`migrations.command` failed; the earlier release still serves."""

    code = "migration_failed"


class MigrateDatabase(Step):
    """Runs `migrations.command`. A migration that was begun is not repeated automatically, unless the infraspec allows
    that.
    """

    name = MIGRATE_DATABASE
    stage = DeploymentState.MIGRATING
    patient = False

    def resumes(self, spec: Infraspec | None) -> Resume:
        """Returns NEVER for a migration that the infraspec does not call idempotent."""
        return Resume.KEEP if spec is not None and spec.migrations.idempotent else Resume.NEVER

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without a migration."""
        return None if spec.migrations.command is not None else "no migrations"

    def run(self, context: StepContext) -> Learned | None:
        """Raises MigrationFailed if the command's exit code is not 0, TimedOut if it took too long."""
        self._end_earlier(context)
        run = self._run(context)
        ended = context.with_image(lambda: context.runtime.run(run, context.hooks, context.watch))
        finished = with_cause(judge(ended, timeout=run.timeout, memory=run.memory), run.evidence)
        if finished.state is not ExecutionState.SUCCEEDED:
            raise _failure(finished, run)
        return Learned(writes=(DatabaseMigrated(),))

    def _end_earlier(self, context: StepContext) -> None:
        """Removes a container left behind by an earlier worker or deploy of the app, because migrations run one at a
        time.
        """
        context.remove_recorded()
        engine = context.tools.engines[context.runtime.engine]
        for seen in engine.containers():
            if seen.name.startswith(f"{NAME}-{context.job.app}."):
                engine.remove(seen.id)

    def _run(self, context: StepContext) -> Run:
        limits, spec, job = context.tools.limits, context.spec, context.job
        return Run(
            name=f"{NAME}-{job.app}.{job.id}-{limits.instance}",
            app=job.app,
            owner=f"execution:t{job.id}",
            image=job.facts.require(BuiltImage).image_id,
            argv=spec.migrations.argv(),
            env=environment_of(job),
            secrets=context.secrets(),
            timeout=limits.migrate_timeout,
            memory=spec.resources.memory or limits.run_memory,
            cpus=spec.resources.cpu or limits.run_cpus,
            services=bool(spec.services.grants()),
            writable=spec.container.writable,
            handed_on=False,
            hidden=context.hidden,
        )


def _failure(finished: ExecutionVerdict, run: Run) -> MigrationFailed | TimedOut:
    if finished.state is ExecutionState.TIMED_OUT:
        return TimedOut(
            f"migrations.command did not end within {run.timeout:g} s and was stopped",
            hint="raise NORN_MIGRATE_TIMEOUT, or see what it waits for; the old release keeps serving",
        )
    hint = finished.hint or "the old release keeps serving; the output of the step says more"
    return MigrationFailed(f"migrations.command failed: {finished.sentence}", hint=hint)
