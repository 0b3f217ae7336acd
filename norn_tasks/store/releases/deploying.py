"""Accepts a deployment: its job, its row and, for a deploy, the number of the release that it will make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, insert, select, update

from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue.jobs import NewJob, accept
from norn_tasks.store.tables import DeploymentRow, JobRow, ReleaseRow


@dataclass(frozen=True)
class AcceptedDeployment:
    """The ids of a deployment that was accepted."""

    job: int
    deployment: int
    release: int


def accept_deployment(
    tx: Tx, new: NewJob, kind: DeploymentKind, *, ref: str | None = None, revision: str | None = None
) -> AcceptedDeployment:
    """Writes job and deployment; a `deploy` gets the app's next release number. The caller has locked the app's row."""
    if kind is DeploymentKind.DEPLOY:
        new = replace(new, release=next_release(tx, new.app))
    assert new.release is not None
    job = accept(tx, new)
    row = {
        "app": new.app, "job_id": job, "kind": str(kind), "ref": ref, "revision": revision, "release": new.release,
        "actor": new.actor,
    }  # fmt: skip
    deployment = int(tx.execute(insert(DeploymentRow).values(row).returning(DeploymentRow.id)).scalar_one())
    tx.execute(update(JobRow).where(JobRow.id == job).values(deployment=deployment))
    if kind is DeploymentKind.DEPLOY:
        tx.execute(insert(ReleaseRow).values(app=new.app, n=new.release, spec=new.spec, registered=new.spec))
    return AcceptedDeployment(job, deployment, new.release)


def next_release(tx: Tx, app: str) -> int:
    """Returns the app's highest release number so far plus 1; the caller has locked the app's row."""
    return int(tx.scalar(select(func.coalesce(func.max(ReleaseRow.n), 0) + 1).where(ReleaseRow.app == app)) or 1)
