"""The comparison at a forge: the parts of the registered infraspec that the live release does not have yet."""

from __future__ import annotations

from norn_tasks.domain.infraspec.effect import differences
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.steps.step import Step, StepContext


class CompareSpec(Step):
    """Notes what a forge changes in the live release; the later steps make the changes."""

    name = "compare-spec"

    def run(self, context: StepContext) -> Learned | None:
        """Notes the fields that change, and the number of the live release."""
        job = context.job
        if job.live is None:
            return Learned(skipped=True, note="nothing is live yet")
        if job.deployment is None:
            return Learned(note="nothing to change")
        changed = ", ".join(differences(job.live.spec, context.spec)) or "the same spec"
        return Learned(note=f"{changed}: release {job.release}")
