"""The steps of a restore of an app's database from a snapshot, and of a drill, which restores the newest backup as a
test.
"""

from __future__ import annotations

from norn_tasks.domain.errors import NoService
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.requests import RestoreJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.secret import Secret, current
from norn_tasks.domain.services import ServiceKind, Snapshot, SnapshotReason
from norn_tasks.steps.services.snapshot import taken
from norn_tasks.steps.step import Step, StepContext


class SaveDatabase(Step):
    """Takes a snapshot of the database that the restore is about to replace."""

    name = "save-database"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of the snapshot that can undo the restore."""
        return taken(context, _wanted(context).database, SnapshotReason.RESTORE)


class RestoreDatabase(Step):
    """Restores the snapshot into a new database, which then replaces the old one in one transaction."""

    name = "restore-database"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note about the restored snapshot. If an earlier worker has already replaced the database, it is not
        replaced again.
        """
        wanted, fence = _wanted(context), context.watch.fence
        records, services = context.tools.records, context.tools.services
        services.restore(wanted, _credential(context), lambda: records.check(fence), context.watch)
        return Learned(note=f"snapshot {wanted.id} is the database {wanted.database} now{_rows(wanted)}")


class DiscardReplaced(Step):
    """Removes the database that was replaced, or the copy left behind by an interrupted restore.

    If this step fails, the restore has still succeeded; the next restore, drill or purge removes the database.
    """

    name = "discard-replaced"
    best_effort = True
    always = True

    def run(self, context: StepContext) -> Learned | None:
        """Removes these databases, if they exist."""
        context.tools.services.tidy(context.job.app, context.watch.stop)
        return None


class DrillBackup(Step):
    """Restores the newest backup into a scratch database, checks the row counts, and removes that database."""

    name = "drill-backup"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without a database of Norn's."""
        return None if spec.services.postgres is not None else "no database of Norn's"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that says which backup can be restored; fails with the reason if the newest one cannot be
        restored.
        """
        records = context.tools.records
        newest = records.newest_backup(context.job.app)
        if newest is None:
            return Learned(skipped=True, note="there is no backup yet")
        context.tools.services.drill(newest, _credential(context), context.watch)
        records.drilled(newest.id, context.watch.fence)
        return Learned(note=f"backup {newest.id} of {newest.database} can be restored{_rows(newest)}")


def _wanted(context: StepContext) -> Snapshot:
    return context.tools.records.snapshot(context.job.app, context.job.request_as(RestoreJobRequest).snapshot)


def _credential(context: StepContext) -> Secret:
    """Returns the app's credential; raises NoService if it has none. A restore may run SQL functions of the app, so it
    must have no more rights than the app.
    """
    sealed = current(context.job.sealed).get(ServiceKind.POSTGRES.variable)
    if sealed is None:
        raise NoService(f"Norn has made no database for {context.job.app}", hint=f"norn forge {context.job.app}")
    return context.tools.vault.open(sealed)


def _rows(snapshot: Snapshot) -> str:
    if snapshot.counts is None:
        return "; it has no row counts to compare with"
    return f", all {snapshot.rows:,} rows of {len(snapshot.counts)} tables"
