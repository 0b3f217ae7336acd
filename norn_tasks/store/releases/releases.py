"""Releases: the live release, the target of a rollback, and the images that must be kept."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select, text
from sqlalchemy.orm import aliased

from norn_tasks.domain.errors import NotDeployed, NotFound, ReleaseGone
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.rules.lists import OPEN_STATES
from norn_tasks.store.tables import AppRow, DeploymentRow, LiveReleaseRow, ReleaseRow


def live(tx: Tx, app: str) -> Row | None:
    """Returns the app's row of `live_releases`; None when the app has no live release."""
    return run(tx, _LIVE, {"app": app}).mappings().one_or_none()


_COLUMNS = ", ".join(column.name for column in LiveReleaseRow.__table__.columns)
_LIVE = Prepared(f"SELECT {_COLUMNS} FROM live_releases WHERE app = :app")  # noqa: S608 - built from constants


def require_live(tx: Tx, app: str) -> Row:
    """Returns the live release's row; raises NotDeployed."""
    row = live(tx, app)
    if row is None:
        raise none_yet(tx, app)
    return row


def none_yet(tx: Tx, app: str) -> NotDeployed:
    """Returns the refusal for an app without a live release; after a failed deploy its hint is `norn why`."""
    d = DeploymentRow
    newest = select(d.state).where(d.app == app).order_by(d.id.desc()).limit(1)
    failed = tx.scalar(newest) in (DeploymentState.FAILED, DeploymentState.NEEDS_ATTENTION)
    forged = tx.scalar(select(AppRow.forge_state).where(AppRow.name == app)) == ForgeState.FORGED
    hint = f"its last deploy failed: norn why {app}" if failed and forged else f"norn deploy {app}"
    return NotDeployed(f"{app} has no successful release yet", hint=hint)


def require_made(tx: Tx, app: str, n: int) -> None:
    """Raises NotFound, which names the field `release`, if the app never had a release of this number."""
    if tx.scalar(select(ReleaseRow.n).where(ReleaseRow.app == app, ReleaseRow.n == n)) is None:
        raise NotFound(f"release: {app} has no release {n}", hint=f"norn releases {app}")


def rollback_target(tx: Tx, app: str, n: int | None) -> Row:
    """Returns the release to go back to: release `n`, or without a number the newest earlier release that was live.

    Without a number, releases from which the app was rolled back are skipped: a second rollback goes further back, and
    a rollback after a new deploy does not bring back a bad release. Raises NotDeployed, NotFound, or ReleaseGone if the
    image of release `n` was pruned.
    """
    current = require_live(tx, app)
    candidates = select(ReleaseRow).where(ReleaseRow.app == app, ReleaseRow.live_at.is_not(None))
    if n is None:
        candidates = candidates.where(ReleaseRow.n < current["n"], ReleaseRow.pruned_at.is_(None), ~_rolled_back_from())
    else:
        candidates = candidates.where(ReleaseRow.n == n)
    row = tx.execute(candidates.order_by(ReleaseRow.n.desc()).limit(1)).mappings().one_or_none()
    if row is None:
        what = f"release {n} that was ever live" if n is not None else "earlier release to go back to"
        raise NotFound(f"{app} has no {what}", hint=f"norn releases {app}")
    if row["pruned_at"] is not None:
        raise ReleaseGone(f"the image of release {n} of {app} was pruned", hint=f"norn releases {app}")
    return row


def _rolled_back_from() -> ColumnElement[bool]:
    """Returns the condition for releases from which the app was rolled back: a lower number went live after them."""
    lower = aliased(ReleaseRow)
    return exists().where(lower.app == ReleaseRow.app, lower.n < ReleaseRow.n, lower.live_at > ReleaseRow.live_at)


def kept_images(tx: Tx, app: str, retain: int) -> list[str]:
    """Returns the ids of the images to keep: those of the `retain` releases that were live last, of the live release,
    and of the releases that queued or running jobs of the app use.

    Releases are ordered by the time at which they went live, not by number: the target of a rollback is kept before the
    release that it replaced.
    """
    rows = tx.execute(
        text(f"""
        (SELECT image_id FROM releases WHERE app = :app AND live_at IS NOT NULL ORDER BY live_at DESC LIMIT :retain)
        UNION SELECT image_id FROM live_releases WHERE app = :app
        UNION SELECT r.image_id FROM jobs j JOIN releases r ON r.app = j.app AND r.n = j.release
               WHERE j.app = :app AND j.state IN {OPEN_STATES}"""),  # noqa: S608 - built from a constant
        {"app": app, "retain": retain},
    )
    return [row.image_id for row in rows if row.image_id is not None]


def spent_stages(tx: Tx, app: str, kept: list[str]) -> list[str]:
    """Returns the ids of the app's build stages from which no image in `kept` was built."""
    rows = tx.execute(
        text("""
        SELECT stage FROM releases r, unnest(r.stages) stage
         WHERE r.app = :app AND r.pruned_at IS NULL AND r.image_id <> ALL(:kept)
        EXCEPT SELECT stage FROM releases r, unnest(r.stages) stage WHERE r.app = :app AND r.image_id = ANY(:kept)
        ORDER BY stage"""),
        {"app": app, "kept": kept},
    )
    return [row.stage for row in rows]
