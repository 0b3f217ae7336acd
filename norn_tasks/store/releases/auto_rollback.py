"""The return to the live release: after a failed rollout, a separate deployment rolls out the live release
again, once.
"""

from __future__ import annotations

from sqlalchemy import select, update

from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import RollbackJobRequest
from norn_tasks.store.apps.scale import override_of
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.releases import releases
from norn_tasks.store.releases.deploying import accept_deployment
from norn_tasks.store.tables import AppRow, DeploymentRow

PATIENCE = 86_400.0
"""The seconds for which a return to the live release may wait to begin."""
_CHANGES = (JobKind.FORGE, JobKind.DEPLOY, JobKind.ROLLBACK, JobKind.RESTART)


def is_return(row: Row) -> bool:
    """Returns True for a rollback that restores the live release after a failed rollout."""
    return row["kind"] == JobKind.ROLLBACK and RollbackJobRequest.from_json(row["args"]).return_to is not None


def request_return(tx: Tx, row: Row) -> int | None:
    """Accepts a return after the failed job of `row`; returns None if that job was itself a return, or if nothing was
    ever live.

    The return starts as many replicas as the app is scaled to now, not as many as when the failed job was accepted. The
    app's row is locked: a scale that was accepted before is read here, and a later one is carried out after the return.
    """
    if row["kind"] not in _CHANGES or is_return(row):
        return None
    app = tx.execute(select(AppRow).where(AppRow.name == row["app"]).with_for_update()).mappings().one_or_none()
    live = releases.live(tx, row["app"])
    if app is None or live is None:
        return None
    new = NewJob(
        RollbackJobRequest(live["image_id"], override_of(app), live["generation"], live["deployment"]),
        app=row["app"],
        actor="norn",
        patience=PATIENCE,
        spec=live["spec"],
        engine=live["engine"],
        cluster=row["cluster"],
        release=live["n"],
    )
    accepted = accept_deployment(tx, new, DeploymentKind.RETURN, revision=live["revision"])
    tx.execute(
        update(DeploymentRow).where(DeploymentRow.id == row["deployment"]).values(returned_to=accepted.deployment)
    )
    return accepted.job
