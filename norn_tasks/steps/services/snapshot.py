"""Snapshots of an app's database: recorded, taken, checked, and deleted separately for each reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from norn_tasks.domain.infraspec import DatabaseBackup, Infraspec
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.services import Snapshot, SnapshotReason
from norn_tasks.steps.step import Step, StepContext


class TakeSnapshot(Step):
    """Takes a snapshot of the app's database, for the given reason.

    The row of the snapshot, which names the file, is written first. If the worker dies before the file is complete, the
    row has no size, and the next worker writes the file again.
    """

    name = "take-snapshot"

    def __init__(self, reason: SnapshotReason) -> None:
        self._reason = reason

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without a database of Norn's."""
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number, the size and the rows of the snapshot."""
        assert context.spec.services.postgres is not None
        return taken(context, context.spec.services.postgres.database, self._reason)


class SnapshotDatabase(TakeSnapshot):
    """Takes a snapshot of the database that the migration is about to change."""

    name = "snapshot-database"
    stage = DeploymentState.SNAPSHOTTING

    def __init__(self) -> None:
        super().__init__(SnapshotReason.DEPLOY)

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app that has no migration, or no database of Norn's."""
        return "no migrations" if spec.migrations.command is None else super().skip_reason(spec)


def taken(context: StepContext, database: str, reason: SnapshotReason) -> Learned:
    """Takes a snapshot of a database of the app; a worker that takes the job over writes the same snapshot again."""
    records, fence = context.tools.records, context.watch.fence
    snapshot = records.reserve_snapshot(context.job.app, database, reason, fence)
    dump = context.tools.services.dump(database, snapshot.file, context.watch)
    records.snapshot_taken(snapshot.id, dump, fence)
    rows = sum(dump.counts.values())
    return Learned(note=f"snapshot {snapshot.id} of {database}, {dump.bytes:,} bytes, {rows:,} rows")


class PruneSnapshots(Step):
    """Deletes the snapshots that were taken for one reason, except the newest ones.

    The newest `services.postgres.backup.keep` backups are kept, and the newest `artifacts.retain` snapshots for each
    other reason. If a file is on the machine of another worker, the row stays until that worker deletes both.
    """

    name = "prune-snapshots"
    best_effort = True

    def __init__(self, reason: SnapshotReason = SnapshotReason.DEPLOY) -> None:
        self._reason = reason

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without a database of Norn's."""
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of deleted snapshots, and the files that are not on this machine."""
        spent = context.tools.records.spent_snapshots(context.job.app, self._reason, self._kept(context.spec))
        away = drop(context, spent)
        removed = f"{len(spent) - len(away)} removed" if len(spent) > len(away) else ""
        return Learned(note="; ".join(filter(None, (removed, not_here(away)))))

    def _kept(self, spec: Infraspec) -> int:
        postgres = spec.services.postgres
        if self._reason is SnapshotReason.BACKUP and postgres is not None:
            return (postgres.backup or DatabaseBackup(schedule="@daily")).keep
        return spec.artifacts.retain


def drop(context: StepContext, snapshots: Iterable[Snapshot], *, for_good: bool = False) -> tuple[str, ...]:
    """Deletes the files and rows of snapshots; returns the files that this machine does not have.

    The rows of such files are deleted only with `for_good`. A snapshot that was never completed has no file.
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
    """Returns a note that names the files which this machine does not have."""
    return f"not on this machine: {', '.join(sorted(files))}" if files else ""
