"""Snapshots of an app's database: taken before a migration, checked, recorded, and pruned with the releases."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.services import SnapshotReason
from norn_tasks.steps.step import Step, StepContext


class SnapshotDatabase(Step):
    """Takes a snapshot of the database that the migration is about to change.

    Its row is written first and names its file. A worker that dies in between leaves a row without a time, and the next
    worker writes that file again.
    """

    name = "snapshot-database"
    stage = DeploymentState.SNAPSHOTTING

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason for an app that does not migrate, or whose database is not one of Norn's."""
        if spec.migrations.command is None:
            return "no migrations"
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Notes the number and the size of the snapshot."""
        assert context.spec.services.postgres is not None
        database, records, fence = context.spec.services.postgres.database, context.tools.records, context.watch.fence
        snapshot = records.reserve_snapshot(context.job.app, database, SnapshotReason.DEPLOY, fence)
        size = context.tools.services.dump(database, snapshot.file, context.watch)
        records.snapshot_taken(snapshot.id, size, fence)
        return Learned(note=f"snapshot {snapshot.id} of {database}, {size:,} bytes")


class PruneSnapshots(Step):
    """Removes the snapshots of earlier deploys that are older than the newest `artifacts.retain`."""

    name = "prune-snapshots"
    best_effort = True

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason for an app without a database."""
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Notes how many it removed."""
        spent = context.tools.records.spent_snapshots(context.job.app, context.spec.artifacts.retain)
        for snapshot in spent:
            context.tools.services.drop_dump(snapshot.file)
            context.tools.records.forget_snapshot(snapshot.id, context.watch.fence)
        return Learned(note=f"{len(spent)} removed" if spent else "")
