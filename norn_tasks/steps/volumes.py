"""The app's volumes: made before anything mounts them, kept by teardown, removed only when it purges."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec, Volume
from norn_tasks.domain.quantities import memory_text
from norn_tasks.domain.step import Learned
from norn_tasks.steps.step import Context, Step


class CreateVolumes(Step):
    """Makes the volumes that the spec names; what is in one that is there already stays."""

    name = "create-volumes"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """An app without volumes needs none."""
        return None if spec.volumes else "no volumes"

    def run(self, context: Context) -> Learned | None:
        """Notes them with what they are."""
        context.tools.volumes.ready(context.job.app, context.spec.volumes)
        return Learned(note=", ".join(map(_told, context.spec.volumes)))


def _told(volume: Volume) -> str:
    if volume.host_path is not None:
        return f"{volume.name} is {volume.host_path} of the host"
    return f"{volume.name} ({memory_text(volume.size or 0)} asked for, not enforced)"


class DeleteVolumes(Step):
    """Says which volumes are kept, or with `--purge` removes them."""

    name = "delete-volumes"

    def run(self, context: Context) -> Learned | None:
        """Notes what is kept, and what is gone for good."""
        app, volumes = context.job.app, context.tools.volumes
        if context.job.args.get("purge"):
            gone = volumes.remove(app)
            return Learned(note=f"removed: {', '.join(gone)}" if gone else "")
        kept = volumes.of_app(app) if context.spec.volumes else ()
        return Learned(note=f"kept: {', '.join(kept)}; --purge removes them" if kept else "")
