"""Snapshots of an app's database: taken before a migration, checked, recorded, and pruned with the releases."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.services import Snapshot, SnapshotReason
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
    """Removes the snapshots of earlier deploys that are older than the newest `artifacts.retain`.

    The file of one may be on the machine of another worker, which removes it: until then its row stays.
    """

    name = "prune-snapshots"
    best_effort = True

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason for an app without a database."""
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Notes how many it removed, and the files that are not on this machine."""
        spent = context.tools.records.spent_snapshots(context.job.app, context.spec.artifacts.retain)
        away = drop(context, spent)
        removed = f"{len(spent) - len(away)} removed" if len(spent) > len(away) else ""
        return Learned(note="; ".join(filter(None, (removed, not_here(away)))))


def drop(context: StepContext, snapshots: Iterable[Snapshot], *, for_good: bool = False) -> tuple[str, ...]:
    """Removes snapshots, file and row; returns the files that this machine does not have.

    The rows of these go only `for_good`. One that never became whole has no file.
    """
    away = []
    for snapshot in snapshots:
        here = context.tools.services.drop_dump(snapshot.file) or snapshot.bytes is None
        if not here:
            away.append(snapshot.file)
        if here or for_good:
            context.tools.records.forget_snapshot(snapshot.id, context.watch.fence)
    return tuple(away)


def not_here(files: Collection[str]) -> str:
    """Returns the files that this machine does not have in words."""
    return f"not on this machine: {', '.join(sorted(files))}" if files else ""
