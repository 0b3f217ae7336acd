"""The moment a release goes live, and the moment an app is torn down: everything that changes with it, at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, text, update

from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobKind
from norn_tasks.domain.writes import ReleaseLive, TornDown
from norn_tasks.store import releases, schedules, secrets
from norn_tasks.store.facts import tell
from norn_tasks.store.returns import RETURN_TO
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, DeploymentRow, JobRow, Release, WorkloadRow

NOW = text("clock_timestamp()")


def release_live(tx: Tx, row: Row, write: ReleaseLive) -> Mapping[str, Any]:
    """Makes the job's release the live one; learns what pruning must leave, and which stages nobody needs any more."""
    app = tx.execute(select(App).where(App.name == row["app"]).with_for_update()).one()
    spec = tx.scalar(select(JobRow.spec).where(JobRow.id == row["id"])) or {}
    changed: dict[str, Any] = {"live_generation": write.generation}
    if row["deployment"] is not None:
        _mark_deployed(tx, row, app.live_deployment)
        changed["live_deployment"] = row["deployment"]
    scaled_since = _take_along(tx, row, write.generation, spec.get("replicas", 1))
    if app.override_spec is not None and scaled_since:
        changed["override_spec"] = spec.get("replicas", 1)
    elif app.override_spec is not None and app.override_spec != spec.get("replicas", 1):
        changed |= {"replicas_override": None, "override_spec": None, "override_by": None, "override_at": None}
    tx.execute(update(App).where(App.name == row["app"]).values(changed))
    schedules.awaken(tx, row["app"], actor=row["actor"])
    if write.generation == row["id"]:
        secrets.forget_retired(tx, row["app"])
    tell(tx, EventKind.RELEASE_LIVE, app=row["app"], job=row["id"], release=row["release"])
    retain = int(spec.get("artifacts", {}).get("retain", 5))
    kept = releases.kept_images(tx, row["app"], retain)
    return {"keep_images": kept, "spent_stages": releases.spent_stages(tx, row["app"], kept)}


def _take_along(tx: Tx, row: Row, generation: int, replicas: int) -> bool:
    """Makes the scales and restarts that wait behind this job changes of what is live now.

    They were accepted while another release was live, and would bring that back. What was scaled to after this job was
    asked for holds whatever number its spec says; true when that is so.
    """
    bound = {"app": row["app"], "n": row["release"], "generation": generation, "replicas": replicas}
    waiting = tx.execute(_WAITING, bound).all()
    return any(each.scaled for each in waiting)


_SCALED = """EXISTS (SELECT 1 FROM jobs s WHERE s.app = :app AND s.kind = 'scale' AND s.state = 'queued'
   AND s.args ->> 'override' IS NOT NULL AND s.id <= j.id)"""
_WAITING = text(f"""
UPDATE jobs j SET release = r.n, engine = r.engine, spec = r.spec,
       args = j.args || jsonb_build_object('image_id', r.image_id)
         || CASE j.kind WHEN 'scale' THEN jsonb_build_object('generation', CAST(:generation AS bigint)) ELSE '{{}}' END
         || CASE WHEN j.args ->> 'override' IS NOT NULL AND {_SCALED} THEN jsonb_build_object(
              'override', (j.args -> 'override') || jsonb_build_object('spec', CAST(:replicas AS int))) ELSE '{{}}' END
  FROM releases r
 WHERE r.app = :app AND r.n = :n AND j.app = :app AND j.kind IN ('scale', 'restart') AND j.state = 'queued'
RETURNING {_SCALED} AS scaled""")  # noqa: S608 - built from a constant


def _mark_deployed(tx: Tx, row: Row, before: int | None) -> None:
    this = update(DeploymentRow).where(DeploymentRow.id == row["deployment"])
    tx.execute(this.values(state=str(DeploymentState.DEPLOYED), ended_at=NOW, error=None))
    tx.execute(update(Release).where(Release.app == row["app"], Release.n == row["release"]).values(live_at=NOW))
    left_by_rollback = row["kind"] == JobKind.ROLLBACK and RETURN_TO not in row["args"]
    if left_by_rollback and before is not None and before != row["deployment"]:
        tx.execute(
            update(DeploymentRow)
            .where(DeploymentRow.id == before, DeploymentRow.state == str(DeploymentState.DEPLOYED))
            .values(state=str(DeploymentState.ROLLED_BACK))
        )


def torn_down(tx: Tx, row: Row, _write: TornDown) -> Mapping[str, Any]:
    """Nothing of the app runs any more: no live release, no status, no override."""
    tx.execute(
        update(App)
        .where(App.name == row["app"])
        .values(
            live_deployment=None, live_generation=None, replicas_override=None, override_spec=None, override_by=None,
            override_at=None,
        )
    )  # fmt: skip
    tx.execute(delete(WorkloadRow).where(WorkloadRow.app == row["app"]))
    return {}
