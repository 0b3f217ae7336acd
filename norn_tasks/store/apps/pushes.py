"""Deliveries of webhooks (one row each, even if repeated) and their results; also the newest commits of apps and
branches.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.domain.pushes.push import ReportedEvent
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import Cut, Page, newest_first
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import JobRow, PushDeliveryRow, PushedRow, PushJobRow


@dataclass(frozen=True)
class PushDelivery:
    """A signed request to a webhook."""

    id: int
    webhook: int
    delivery: str
    event: str
    ref: str | None
    revision: str | None
    outcome: str
    times: int
    created_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class PushResult:
    """The result of a delivery for one app."""

    delivery: int
    app: str
    job: int
    outcome: str


def record(tx: Tx, webhook: int, digest: str, delivery: str, event: ReportedEvent) -> int | None:
    """Writes a delivery and returns its id. If it was received before, counts the repetition in its row and returns
    None.
    """
    d = PushDeliveryRow
    made = insert(d).values(
        webhook=webhook, digest=digest, delivery=delivery, event=event.name, ref=event.ref,
        revision=event.push.after if event.push else None, outcome=event.ignored,
    )  # fmt: skip
    found = tx.scalar(made.on_conflict_do_nothing().returning(d.id))
    if found is None:
        again = update(d).where(d.webhook == webhook, d.digest == digest)
        tx.execute(again.values(times=d.times + 1, last_at=NOW))
    return found


def conclude(tx: Tx, delivery: int, outcome: str) -> None:
    """Writes the outcome of a delivery into its row."""
    tx.execute(update(PushDeliveryRow).where(PushDeliveryRow.id == delivery).values(outcome=outcome))


_NEWEST = text("""
INSERT INTO pushed(app, revision, job, delivery) VALUES (:app, :revision, 0, :delivery)
ON CONFLICT (app) DO UPDATE SET revision = :revision, delivery = :delivery, at = clock_timestamp()
 WHERE pushed.revision <> :revision
RETURNING app""")


def is_news(tx: Tx, app: str, revision: str, delivery: int) -> bool:
    """Records `revision` as the newest commit of an app; returns False if it already was the newest. Concurrent calls
    wait for each other.
    """
    return tx.execute(_NEWEST, {"app": app, "revision": revision, "delivery": delivery}).first() is not None


def add_job(tx: Tx, delivery: int, app: str, job: int) -> None:
    """Records the job that decides about a delivery for an app."""
    tx.execute(insert(PushJobRow).values(delivery=delivery, app=app, job=job))
    tx.execute(update(PushedRow).where(PushedRow.app == app).values(job=job))


def decided(tx: Tx, job: int, outcome: str) -> None:
    """Writes the outcome that a job has decided."""
    tx.execute(update(PushJobRow).where(PushJobRow.job == job).values(outcome=outcome))


def listed(tx: Tx, webhook: int, cut: Cut) -> Page[PushDelivery]:
    """Lists the deliveries of a webhook, newest first."""
    d = PushDeliveryRow
    columns = (
        d.id, d.webhook, d.delivery, d.event, d.ref, d.revision, d.outcome, d.times, d.created_at, d.last_at,
    )  # fmt: skip
    return newest_first(tx, select(*columns).where(d.webhook == webhook), d.id, PushDelivery, cut)


def results(tx: Tx, deliveries: list[int]) -> tuple[PushResult, ...]:
    """Returns the results of these deliveries, by app; the outcome of a failed job includes its error."""
    p, j = PushJobRow, JobRow
    query = (
        select(p.delivery, p.app, p.job, p.outcome, j.state, j.error)
        .join(j, j.id == p.job, isouter=True)
        .where(p.delivery.in_(deliveries))
        .order_by(p.delivery, p.app)
    )
    return tuple(
        PushResult(row.delivery, row.app, row.job, row.outcome or _state(row.state, row.error))
        for row in tx.execute(query)
    )


def _state(state: str | None, error: dict[str, str] | None) -> str:
    return f"{state}: {error['sentence']}" if error else state or ""


# The newest commits of branches


Branch = tuple[str, str]
"""A repository, in the form of `repository_of`, and one of its branches."""


@dataclass(frozen=True)
class NewestCommit:
    """The newest commit of a branch; `error`: the reason why the last poll failed."""

    revision: str | None
    seen_at: datetime | None
    error: str


def branch_seen(tx: Tx, write: BranchSeen) -> None:
    """Stores the commit that a push or a poll has shown; after a failed poll, keeps the earlier commit and stores the
    error.
    """
    values = {"repository": write.repository, "branch": write.branch, "revision": write.revision, "error": write.error}
    tx.execute(_POLL_FAILED if write.error else _BRANCH_SEEN, values)


_BRANCH_SEEN = text("""
INSERT INTO branches (repository, branch, revision, seen_at, error)
VALUES (:repository, :branch, :revision, clock_timestamp(), '')
ON CONFLICT (repository, branch) DO UPDATE
   SET revision = excluded.revision, seen_at = excluded.seen_at, error = '', asked_at = clock_timestamp()""")
_POLL_FAILED = text("""
INSERT INTO branches (repository, branch, error) VALUES (:repository, :branch, :error)
ON CONFLICT (repository, branch) DO UPDATE SET error = excluded.error, asked_at = clock_timestamp()""")


def newest_commits(tx: Tx, branches: Collection[Branch]) -> dict[Branch, NewestCommit]:
    """Returns the newest known commits of all branches of the repositories in `branches`."""
    if not branches:
        return {}
    return {
        (row.repository, row.branch): NewestCommit(row.revision, row.seen_at, row.error)
        for row in tx.execute(_COMMITS, {"repositories": sorted({repository for repository, _ in branches})})
    }


_COMMITS = text("""
SELECT repository, branch, revision, seen_at, error FROM branches WHERE repository = ANY(:repositories)""")


def asked_lately(tx: Tx, seconds: float) -> frozenset[Branch]:
    """Returns the branches that were polled or pushed to within the last `seconds`."""
    return frozenset((row.repository, row.branch) for row in tx.execute(_ASKED_LATELY, {"seconds": seconds}))


_ASKED_LATELY = text("""
SELECT repository, branch FROM branches WHERE asked_at > clock_timestamp() - make_interval(secs => :seconds)""")
