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
    if app.override_spec is not None and app.override_spec != spec.get("replicas", 1):
        changed |= {"replicas_override": None, "override_spec": None, "override_by": None, "override_at": None}
    tx.execute(update(App).where(App.name == row["app"]).values(changed))
    schedules.awaken(tx, row["app"], actor=row["actor"])
    if write.generation == row["id"]:
        secrets.forget_retired(tx, row["app"])
    tell(tx, EventKind.RELEASE_LIVE, app=row["app"], job=row["id"], release=row["release"])
    retain = int(spec.get("artifacts", {}).get("retain", 5))
    kept = releases.kept_images(tx, row["app"], retain)
    return {"keep_images": kept, "spent_stages": releases.spent_stages(tx, row["app"], kept)}


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
