"""The steps of a function: it is registered with the number of calls that may run at the same time, and removed by
teardown.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import FunctionRegistered, FunctionRemoved, ReleaseLive, TornDown
from norn_tasks.steps.step import Step, StepContext


class RegisterFunction(Step):
    """Lets the app accept calls. `goes_live` (deploy): calls run this release from now on."""

    name = "register-function"

    def __init__(self, *, goes_live: bool = False) -> None:
        self._goes_live = goes_live

    def run(self, context: StepContext) -> Learned | None:
        """Records how many calls may run at the same time."""
        concurrent = context.spec.function.concurrency
        live = (ReleaseLive(context.job.id),) if self._goes_live else ()
        return Learned(
            writes=(FunctionRegistered(context.job.app, concurrent), *live), note=f"{concurrent} calls at once"
        )


class RemoveFunction(Step):
    """Makes the app refuse calls; its history stays."""

    name = "remove-function"

    def run(self, context: StepContext) -> Learned | None:
        """Records that the app no longer accepts calls."""
        return Learned(writes=(FunctionRemoved(context.job.app), TornDown()))
