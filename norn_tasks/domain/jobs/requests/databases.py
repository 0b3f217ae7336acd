"""Requests of jobs on the database of an app: its snapshots, backups and drills."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest


@dataclass(frozen=True)
class SnapshotJobRequest(JobRequest):
    """Takes a snapshot of the database of an app."""

    kind = JobKind.SNAPSHOT

    backup: bool | None = None
    """If True, the snapshot is a backup, which is stored for as long as `services.postgres.backup` says."""


@dataclass(frozen=True)
class RestoreJobRequest(JobRequest):
    """Replaces the database of an app with a snapshot."""

    kind = JobKind.RESTORE

    snapshot: int
    """The number of the snapshot."""


@dataclass(frozen=True)
class DrillJobRequest(JobRequest):
    """Restores the newest backup of an app's database into a scratch database, and checks the row counts."""

    kind = JobKind.DRILL
