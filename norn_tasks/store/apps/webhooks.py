"""Webhooks as rows: one for each repository, with its encrypted secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.domain.pushes.repository import repository_of
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import AnySelect, value
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import PushDeliveryRow, PushJobRow, WebhookRow


@dataclass(frozen=True)
class Webhook:
    """A webhook without its secret."""

    id: int
    repository: str
    url: str
    created_by: str
    created_at: datetime
    rotated_at: datetime | None
    last_at: datetime | None
    """The time of its last delivery, repeated or not."""


def _webhooks() -> AnySelect:
    w, d = WebhookRow, PushDeliveryRow
    last = select(func.max(d.last_at)).where(d.webhook == w.id).scalar_subquery().label("last_at")
    return select(w.id, w.repository, w.url, w.created_by, w.created_at, w.rotated_at, last)


def listed(tx: Tx) -> tuple[Webhook, ...]:
    """Lists the webhooks by repository."""
    return tuple(value(Webhook, row) for row in tx.execute(_webhooks().order_by(WebhookRow.repository)))


def one(tx: Tx, webhook: int) -> Webhook:
    """Returns a webhook; raises NotFound."""
    row = tx.execute(_webhooks().where(WebhookRow.id == webhook)).first()
    if row is None:
        raise _missing(webhook)
    return value(Webhook, row)


def repositories(tx: Tx) -> frozenset[str]:
    """Returns the repositories that have a webhook."""
    return frozenset(tx.scalars(select(WebhookRow.repository)))


def sealed_of(tx: Tx, webhook: int) -> bytes | None:
    """Returns the encrypted secret of a webhook; None if the webhook does not exist."""
    return tx.scalar(select(WebhookRow.sealed).where(WebhookRow.id == webhook))


def create(tx: Tx, url: str, sealed: bytes, *, actor: str) -> int:
    """Makes the webhook of a repository; raises Conflict if the repository already has one."""
    repository = repository_of(url)
    made = insert(WebhookRow).values(repository=repository, url=url, sealed=sealed, created_by=actor)
    found: int | None = tx.scalar(made.on_conflict_do_nothing().returning(WebhookRow.id))
    if found is None:
        there = tx.scalar(select(WebhookRow.id).where(WebhookRow.repository == repository))
        raise Conflict(
            f"{repository} has a webhook already: {there}", hint=f"norn webhook rotate {there} makes a new secret"
        )
    return found


def rotate(tx: Tx, webhook: int, sealed: bytes) -> None:
    """Replaces the secret; signatures with the earlier secret are refused from then on. Raises NotFound."""
    changed = update(WebhookRow).where(WebhookRow.id == webhook).values(sealed=sealed, rotated_at=NOW)
    if tx.scalar(changed.returning(WebhookRow.id)) is None:
        raise _missing(webhook)


def remove(tx: Tx, webhook: int) -> None:
    """Removes a webhook with its deliveries; raises NotFound."""
    if tx.scalar(delete(WebhookRow).where(WebhookRow.id == webhook).returning(WebhookRow.id)) is None:
        raise _missing(webhook)
    gone = tx.scalars(delete(PushDeliveryRow).where(PushDeliveryRow.webhook == webhook).returning(PushDeliveryRow.id))
    tx.execute(delete(PushJobRow).where(PushJobRow.delivery.in_(gone.all())))


def _missing(webhook: int) -> NotFound:
    return NotFound(f"there is no webhook {webhook}", hint="norn webhook list")
