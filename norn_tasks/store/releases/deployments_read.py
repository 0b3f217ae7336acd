"""Reads deployments and releases for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.database.session import Tx


@dataclass(frozen=True)
class Deployment:
    """One attempt to make a release live."""

    id: int
    app: str
    job: int
    kind: str
    state: str
    ref: str | None
    revision: str | None
    release: int
    actor: str
    error: dict[str, Any] | None
    returned_to: int | None
    created_at: datetime
    ended_at: datetime | None
    live: bool
    migrated_by: int | None = None
    """The newest release whose deploy has migrated the app's database."""

    @property
    def schema_ahead(self) -> int | None:
        """The newest release that migrated the app's database, if it is newer than this deployment's; else None."""
        return self.migrated_by if (self.migrated_by or 0) > self.release else None


@dataclass(frozen=True)
class Release:
    """A release: an image with its source revision and spec, numbered per app. `pruned_at` is the time at which the
    image was deleted.

    `state`, `ref` and `actor` belong to the deployment that made the release; None if its row is no longer kept.
    """

    n: int
    app: str
    image: str | None
    image_id: str | None
    revision: str | None
    created_at: datetime
    live_at: datetime | None
    pruned_at: datetime | None
    live: bool
    state: str | None
    ref: str | None
    actor: str | None


def _deployments() -> AnySelect:
    d = t.DeploymentRow
    live = func.coalesce(t.AppRow.live_deployment == d.id, False).label("live")
    return select(
        d.id, d.app, d.job_id.label("job"), d.kind, d.state, d.ref, d.revision, d.release, d.actor, d.error,
        d.returned_to, d.created_at, d.ended_at, live,
    ).outerjoin(t.AppRow, t.AppRow.name == d.app)  # fmt: skip


def listed(
    tx: Tx, *, app: str | None = None, state: str | None = None, reach: Reach = None, cut: Cut
) -> Page[Deployment]:
    """Lists deployments, newest first."""
    d = t.DeploymentRow
    wanted = [*equal(app=(d.app, app), state=(d.state, state)), *within(d.app, reach)]
    return newest_first(tx, _deployments().where(*wanted), d.id, Deployment, cut)


def absent(deployment: int) -> NotFound:
    """Returns the error for a deployment that does not exist."""
    return NotFound(f"there is no deployment {deployment}", hint="norn jobs")


def get(tx: Tx, deployment: int) -> Deployment:
    """Returns one deployment; raises NotFound."""
    row = tx.execute(_deployments().where(t.DeploymentRow.id == deployment)).first()
    if row is None:
        raise absent(deployment)
    return value(Deployment, row)


def newest_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, Deployment]:
    """Returns each app's newest deployment, without the deployments of the kind `return`, which Norn itself starts."""
    d = t.DeploymentRow
    asked = _deployments().where(d.app.in_(apps), d.kind != str(DeploymentKind.RETURN))
    query = asked.ext(distinct_on(d.app)).order_by(d.app, d.id.desc())
    return {row.app: value(Deployment, row) for row in tx.execute(query)}


def live_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, Deployment]:
    """Returns the live deployment of each app that has one."""
    r, d = t.ReleaseRow, t.DeploymentRow
    migrated = select(func.max(r.n)).where(r.app == d.app, r.migrated_at.is_not(None)).scalar_subquery()
    found = _deployments().add_columns(migrated.label("migrated_by"))
    query = found.where(d.app.in_(apps), t.AppRow.live_deployment == d.id)
    return {row.app: value(Deployment, row) for row in tx.execute(query)}


MAKE_RELEASES = (str(DeploymentKind.DEPLOY), str(DeploymentKind.FORGE))
"""The kinds of deployments that make a release; the others bring an existing release back."""


def releases(tx: Tx, app: str, cut: Cut) -> Page[Release]:
    """Lists an app's releases, newest first."""
    r, made_by = t.ReleaseRow, aliased(t.DeploymentRow)
    live = t.LiveReleaseRow
    deploy = (made_by.app == r.app) & (made_by.release == r.n) & made_by.kind.in_(MAKE_RELEASES)
    query = (
        select(
            r.n,
            r.app,
            r.image,
            r.image_id,
            r.revision,
            r.created_at,
            r.live_at,
            r.pruned_at,
            live.n.is_not(None).label("live"),
            made_by.state,
            made_by.ref,
            made_by.actor,
        )
        .outerjoin(live, (live.app == r.app) & (live.n == r.n))
        .outerjoin(made_by, deploy)
        .where(r.app == app)
    )
    return newest_first(tx, query, r.n, Release, cut)
