"""The steps of a cron app's schedule: forge and each release register it, and teardown removes it."""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ReleaseLive, ScheduleRegistered, ScheduleRemoved, TornDown
from norn_tasks.domain.schedule import policy_of
from norn_tasks.steps.step import Step, StepContext

ALLOWED_AT_ONCE = 16
"""How many runs of an app with `concurrency: allow` may run at the same time; for other apps it is one."""


class RegisterSchedule(Step):
    """Registers the schedule in the infraspec. `goes_live` (deploy): runs use this release from now on."""

    name = "register-schedule"

    def __init__(self, *, goes_live: bool = False) -> None:
        self._goes_live = goes_live

    def run(self, context: StepContext) -> Learned | None:
        """Records the schedule, and returns a note about it."""
        spec = context.spec
        concurrent = ALLOWED_AT_ONCE if spec.concurrency == "allow" else 1
        registered = ScheduleRegistered(context.job.app, str(spec.schedule), spec.timezone, concurrent, policy_of(spec))
        live = (ReleaseLive(context.job.id),) if self._goes_live else ()
        return Learned(writes=(registered, *live), note=f"{spec.schedule} {spec.timezone}")


class RemoveSchedule(Step):
    """Removes the schedule; its history stays."""

    name = "remove-schedule"

    def run(self, context: StepContext) -> Learned | None:
        """Records that the app no longer has a schedule."""
        return Learned(writes=(ScheduleRemoved(context.job.app), TornDown()))
