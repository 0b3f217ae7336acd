"""The steps of an app's volumes: they are created before anything mounts them, and kept by a teardown unless it
purges.
"""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec, Volume
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.quantities import memory_text
from norn_tasks.steps.step import Step, StepContext


class CreateVolumes(Step):
    """Creates the volumes that the infraspec names; an existing volume keeps its content."""

    name = "create-volumes"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without volumes."""
        return None if spec.volumes else "no volumes"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that describes new volumes, but not those that an earlier forge or deploy created."""
        app, volumes = context.job.app, context.volumes
        known = volumes.of_app(app)
        volumes.ready(app, context.spec.volumes)
        limit = "Docker sets no limit" if volumes is context.tools.volumes else "a claim"
        new = [_described(each, limit) for each in context.spec.volumes if each.name not in known]
        return Learned(note=", ".join(new)) if new else Learned(skipped=True, note="all are there")


def _described(volume: Volume, limit: str) -> str:
    if volume.host_path is not None:
        return f"{volume.name} is {volume.host_path} of the host"
    return f"{volume.name} ({memory_text(volume.size or 0)} asked for; {limit})"


class DeleteVolumes(Step):
    """Says which volumes are kept or, with `--purge`, removes them."""

    name = "delete-volumes"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that says which volumes are kept, or which were permanently removed."""
        app, volumes = context.job.app, context.volumes
        if context.purges:
            gone = volumes.remove(app)
            return Learned(note=f"removed: {', '.join(gone)}" if gone else "")
        kept = volumes.of_app(app) if context.spec.volumes else ()
        return Learned(note=f"kept: {', '.join(kept)}; --purge removes them" if kept else "")
