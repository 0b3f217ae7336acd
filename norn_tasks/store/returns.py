"""The one return: after a failed rollout the last succeeded release is rolled out again, as a deployment of its own."""

from __future__ import annotations

from sqlalchemy import select, update

from norn_tasks.domain.deployment import DeploymentKind
from norn_tasks.domain.job import JobKind
from norn_tasks.store.acceptance import override_of
from norn_tasks.store.deploying import accept_deployment
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, DeploymentRow, Release

PATIENCE = 86_400.0
RETURN_TO = "return_to"
"""The argument of a return that names the deployment which was live when it was accepted."""
_CHANGES = (JobKind.DEPLOY, JobKind.ROLLBACK, JobKind.RESTART)


def request_return(tx: Tx, row: Row) -> int | None:
    """Accepts the return after the failed job of `row`; None when it was one itself, or nothing was ever live.

    It brings back as many replicas as the app is scaled to now, not when the failed job was accepted. The app's row is
    locked: a scale either came before and is read here, or comes after and is done after.
    """
    if RETURN_TO in row["args"] or row["kind"] not in _CHANGES:
        return None
    live = tx.execute(
        select(Release, App.live_generation, App.live_deployment, App.replicas_override, App.override_spec)
        .join(DeploymentRow, (DeploymentRow.app == Release.app) & (DeploymentRow.release == Release.n))
        .join(App, App.live_deployment == DeploymentRow.id)
        .where(App.name == row["app"])
        .with_for_update(of=App)
    ).one_or_none()
    if live is None:
        return None
    new = NewJob(
        kind=JobKind.ROLLBACK,
        app=row["app"],
        actor="norn",
        patience=PATIENCE,
        spec=live.spec,
        engine=live.engine,
        release=live.n,
        args={
            RETURN_TO: live.live_deployment,
            "generation": live.live_generation,
            "image_id": live.image_id,
            "override": override_of(live._mapping),
        },
    )
    accepted = accept_deployment(tx, new, DeploymentKind.RETURN, revision=live.revision)
    tx.execute(
        update(DeploymentRow).where(DeploymentRow.id == row["deployment"]).values(returned_to=accepted.deployment)
    )
    return accepted.job
