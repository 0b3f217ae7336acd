"""The function: registered with the number of calls that may run at once, removed by teardown."""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import FunctionRegistered, FunctionRemoved, ReleaseLive, TornDown
from norn_tasks.steps.step import Step, StepContext


class RegisterFunction(Step):
    """Opens the app for calls; `goes_live` (deploy): calls run this release from now on."""

    name = "register-function"

    def __init__(self, *, goes_live: bool = False) -> None:
        self._goes_live = goes_live

    def run(self, context: StepContext) -> Learned | None:
        """Notes how many calls may run at once."""
        concurrent = context.spec.function.concurrency
        live = (ReleaseLive(context.job.id),) if self._goes_live else ()
        return Learned(
            writes=(FunctionRegistered(context.job.app, concurrent), *live), note=f"{concurrent} calls at once"
        )


class RemoveFunction(Step):
    """Closes the app for calls; its history stays."""

    name = "remove-function"

    def run(self, context: StepContext) -> Learned | None:
        """Writes that the app no longer takes calls."""
        return Learned(writes=(FunctionRemoved(context.job.app), TornDown()))
