"""Releases: which one is live, which may be rolled back to, which images must be kept."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select, text
from sqlalchemy.orm import aliased

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.errors import NotDeployed, NotFound, ReleaseGone
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, DeploymentRow, Release


def live(tx: Tx, app: str) -> Row | None:
    """Answers the live release's row, with `generation`; None when nothing was ever deployed."""
    found = tx.execute(
        select(Release, App.live_generation.label("generation"))
        .join(DeploymentRow, (DeploymentRow.app == Release.app) & (DeploymentRow.release == Release.n))
        .join(App, App.live_deployment == DeploymentRow.id)
        .where(App.name == app)
    )
    return found.mappings().one_or_none()


def require_live(tx: Tx, app: str) -> Row:
    """Answers the live release's row; raises NotDeployed."""
    row = live(tx, app)
    if row is None:
        raise none_yet(tx, app)
    return row


def none_yet(tx: Tx, app: str) -> NotDeployed:
    """Answers the refusal for an app that nothing of is live: after a deploy that failed it leads to the reason."""
    d = DeploymentRow
    newest = select(d.state).where(d.app == app).order_by(d.id.desc()).limit(1)
    failed = tx.scalar(newest) in (DeploymentState.FAILED, DeploymentState.NEEDS_ATTENTION)
    forged = tx.scalar(select(App.forge_state).where(App.name == app)) == ForgeState.FORGED
    hint = f"its last deploy failed: norn why {app}" if failed and forged else f"norn deploy {app}"
    return NotDeployed(f"{app} has no succeeded release yet", hint=hint)


def rollback_target(tx: Tx, app: str, n: int | None) -> Row:
    """Answers the release to go back to: the one asked for, else the one that was live before the live one.

    Without a number those that were themselves rolled back from are passed over: a second rollback goes further back,
    and one after a new deploy does not bring back what was bad. Raises NotDeployed, NotFound, or ReleaseGone when its
    image was pruned.
    """
    current = require_live(tx, app)
    candidates = select(Release).where(Release.app == app, Release.live_at.is_not(None))
    if n is None:
        candidates = candidates.where(Release.n < current["n"], Release.pruned_at.is_(None), ~_rolled_back_from())
    else:
        candidates = candidates.where(Release.n == n)
    row = tx.execute(candidates.order_by(Release.n.desc()).limit(1)).mappings().one_or_none()
    if row is None:
        what = f"release {n} that was ever live" if n is not None else "earlier release to go back to"
        raise NotFound(f"{app} has no {what}", hint=f"norn releases {app}")
    if row["pruned_at"] is not None:
        raise ReleaseGone(f"the image of release {n} of {app} was pruned", hint=f"norn releases {app}")
    return row


def _rolled_back_from() -> ColumnElement[bool]:
    """Only a rollback lets a lower number go live after a higher one, and each going live renews `live_at`."""
    lower = aliased(Release)
    return exists().where(lower.app == Release.app, lower.n < Release.n, lower.live_at > Release.live_at)


def kept_images(tx: Tx, app: str, retain: int) -> list[str]:
    """Answers the image ids that must stay: of the `retain` releases that were live last, the live one, and of any
    queued or running job of the app.

    By when they were live, not by number: what a rollback goes back to is kept before what it was rolled back from.
    """
    rows = tx.execute(
        text("""
        (SELECT image_id FROM releases WHERE app = :app AND live_at IS NOT NULL ORDER BY live_at DESC LIMIT :retain)
        UNION SELECT r.image_id FROM apps a JOIN deployments d ON d.id = a.live_deployment
                JOIN releases r ON r.app = d.app AND r.n = d.release WHERE a.name = :app
        UNION SELECT r.image_id FROM jobs j JOIN releases r ON r.app = j.app AND r.n = j.release
               WHERE j.app = :app AND j.state IN ('queued', 'running')"""),
        {"app": app, "retain": retain},
    )
    return [row.image_id for row in rows if row.image_id is not None]


def spent_stages(tx: Tx, app: str, kept: list[str]) -> list[str]:
    """Answers the stages that builds of the app left behind and that no image of `kept` was built with."""
    rows = tx.execute(
        text("""
        SELECT stage FROM releases r, unnest(r.stages) stage
         WHERE r.app = :app AND r.pruned_at IS NULL AND r.image_id <> ALL(:kept)
        EXCEPT SELECT stage FROM releases r, unnest(r.stages) stage WHERE r.app = :app AND r.image_id = ANY(:kept)
        ORDER BY stage"""),
        {"app": app, "kept": kept},
    )
    return [row.stage for row in rows]
