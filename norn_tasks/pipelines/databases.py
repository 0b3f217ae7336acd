"""Pipelines for apps' databases: a snapshot or a backup, a restore, and a drill (a test restore of a backup)."""

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
    """Returns the step that takes the snapshot, and the step that removes snapshots that are too old."""
    reason = SnapshotReason.BACKUP if job.request_as(SnapshotJobRequest).backup else SnapshotReason.MANUAL
    return (TakeSnapshot(reason), PruneSnapshots(reason))


def restore(_job: Job) -> tuple[Step, ...]:
    """Returns the steps that take a snapshot of the present database, restore, and remove the replaced database."""
    return (SaveDatabase(), RestoreDatabase(), DiscardReplaced(), PruneSnapshots(SnapshotReason.RESTORE))


def drill(_job: Job) -> tuple[Step, ...]:
    """Returns the step that restores the newest backup as a test."""
    return (DrillBackup(),)
