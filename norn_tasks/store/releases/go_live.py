"""Writes everything that changes when a release goes live, or when an app is torn down, in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, text, update

from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.facts import Fact, KeptImages
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import GENERATION, IMAGE_ID, OVERRIDE, OVERRIDE_SPEC
from norn_tasks.domain.jobs.writes import ReleaseLive, TornDown
from norn_tasks.store.apps import secrets
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.releases import releases
from norn_tasks.store.releases.auto_rollback import is_return
from norn_tasks.store.tables import AppRow, AppStateRow, DeploymentRow, JobRow, MaintenanceRow, ReleaseRow, WorkloadRow


def release_live(tx: Tx, row: Row, write: ReleaseLive) -> tuple[Fact, ...]:
    """Makes the job's release the live one; returns the images to keep and the stages to remove."""
    app = tx.execute(select(AppRow).where(AppRow.name == row["app"]).with_for_update()).one()
    spec = tx.execute(select(JobRow.spec).where(JobRow.id == row["id"])).scalar_one()
    changed: dict[str, Any] = {"live_generation": write.generation}
    if row["deployment"] is not None:
        _mark_deployed(tx, row, app.live_deployment)
        changed["live_deployment"] = row["deployment"]
    scaled_since = _rebase_queued_changes(tx, row, write.generation, spec["replicas"])
    if app.override_spec is not None and scaled_since:
        changed["override_spec"] = spec["replicas"]
    elif app.override_spec is not None and app.override_spec != spec["replicas"]:
        changed |= {"replicas_override": None, "override_spec": None, "override_by": None, "override_at": None}
    tx.execute(update(AppRow).where(AppRow.name == row["app"]).values(changed))
    schedules.awaken(tx, row["app"], actor=row["actor"])
    if write.generation == row["id"]:
        secrets.forget_retired(tx, row["app"])
    publish(tx, EventKind.RELEASE_LIVE, app=row["app"], job=row["id"], release=row["release"])
    retain = spec["artifacts"]["retain"]
    kept = releases.kept_images(tx, row["app"], retain)
    return (KeptImages(tuple(kept), tuple(releases.spent_stages(tx, row["app"], kept))),)


def _rebase_queued_changes(tx: Tx, row: Row, generation: int, replicas: int) -> bool:
    """Changes the app's queued scales and restarts so that they apply to the release that is live now.

    These jobs were accepted while another release was live, and would restore that release. Returns True if the app was
    scaled after this job was accepted; then the number of that scale counts, and not the one in the new infraspec.
    """
    bound = {"app": row["app"], "n": row["release"], "generation": generation, "replicas": replicas}
    waiting = tx.execute(_WAITING, bound).all()
    return any(each.scaled for each in waiting)


_SCALED = f"""EXISTS (SELECT 1 FROM jobs s WHERE s.app = :app AND s.kind = 'scale' AND s.state = 'queued'
   AND s.args ->> '{OVERRIDE}' IS NOT NULL AND s.id <= j.id)"""  # noqa: S608 - built from a constant
_WAITING = text(f"""
UPDATE jobs j SET release = r.n, engine = r.engine, spec = r.spec,
       args = j.args || jsonb_build_object('{IMAGE_ID}', r.image_id)
         || CASE j.kind WHEN 'scale'
              THEN jsonb_build_object('{GENERATION}', CAST(:generation AS bigint)) ELSE '{{}}' END
         || CASE WHEN j.args ->> '{OVERRIDE}' IS NOT NULL AND {_SCALED}
              THEN jsonb_build_object('{OVERRIDE}', (j.args -> '{OVERRIDE}')
                     || jsonb_build_object('{OVERRIDE_SPEC}', CAST(:replicas AS int))) ELSE '{{}}' END
  FROM releases r
 WHERE r.app = :app AND r.n = :n AND j.app = :app AND j.kind IN ('scale', 'restart') AND j.state = 'queued'
RETURNING {_SCALED} AS scaled""")  # noqa: S608 - built from a constant


def _mark_deployed(tx: Tx, row: Row, before: int | None) -> None:
    this = update(DeploymentRow).where(DeploymentRow.id == row["deployment"])
    tx.execute(this.values(state=str(DeploymentState.DEPLOYED), ended_at=NOW, error=None))
    tx.execute(
        update(ReleaseRow).where(ReleaseRow.app == row["app"], ReleaseRow.n == row["release"]).values(live_at=NOW)
    )
    left_by_rollback = row["kind"] == JobKind.ROLLBACK and not is_return(row)
    if left_by_rollback and before is not None and before != row["deployment"]:
        tx.execute(
            update(DeploymentRow)
            .where(DeploymentRow.id == before, DeploymentRow.state == str(DeploymentState.DEPLOYED))
            .values(state=str(DeploymentState.ROLLED_BACK))
        )


def torn_down(tx: Tx, row: Row, _write: TornDown) -> tuple[Fact, ...]:
    """Records that nothing of the app runs: it has no live release, no status and no override."""
    tx.execute(
        update(AppRow)
        .where(AppRow.name == row["app"])
        .values(
            live_deployment=None, live_generation=None, replicas_override=None, override_spec=None, override_by=None,
            override_at=None,
        )
    )  # fmt: skip
    tx.execute(delete(WorkloadRow).where(WorkloadRow.app == row["app"]))
    tx.execute(delete(MaintenanceRow).where(MaintenanceRow.app == row["app"]))
    present = (AppStateRow.app == row["app"], AppStateRow.ended_at.is_(None))
    tx.execute(update(AppStateRow).where(*present).values(ended_at=NOW))
    return ()
