"""Databases of apps: a snapshot or a backup, a restore, and the drill of a backup."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.requests import SnapshotJobRequest
from norn_tasks.domain.services import SnapshotReason
from norn_tasks.steps.services import (
    DiscardReplaced,
    DrillBackup,
    PruneSnapshots,
    RestoreDatabase,
    SaveDatabase,
    TakeSnapshot,
)
from norn_tasks.steps.step import Step


def snapshot(job: Job) -> tuple[Step, ...]:
    """Lists the step that takes the snapshot, and the removal of older snapshots that are no longer kept."""
    reason = SnapshotReason.BACKUP if job.request_as(SnapshotJobRequest).backup else SnapshotReason.MANUAL
    return (TakeSnapshot(reason), PruneSnapshots(reason))


def restore(_job: Job) -> tuple[Step, ...]:
    """Lists the snapshot of the present database, the restore, and the removal of the replaced database."""
    return (SaveDatabase(), RestoreDatabase(), DiscardReplaced(), PruneSnapshots(SnapshotReason.RESTORE))


def drill(_job: Job) -> tuple[Step, ...]:
    """Lists the step that drills the newest backup."""
    return (DrillBackup(),)
