"""Idempotency keys: for a day, the same key with the same body returns the same job; with another body it is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, text

from norn_tasks.domain.errors import KeyReused
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import IdempotencyRow


@dataclass(frozen=True)
class IdempotencyKey:
    """The key with its user and the method and path of the request, and the SHA-256 of the request body."""

    actor: str
    method: str
    path: str
    key: str
    request_sha256: str


@dataclass(frozen=True)
class Remembered:
    """The result of the first use of a key."""

    job: int | None
    status: int


def recall(tx: Tx, key: IdempotencyKey | None) -> Remembered | None:
    """Returns the result of the first use of this key; None if there was none. A second use waits until the first has
    committed.

    Raises KeyReused if the key was used with another body.
    """
    if key is None:
        return None
    lock = f"{key.actor}\n{key.method}\n{key.path}\n{key.key}"
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": lock})
    row = tx.execute(
        select(IdempotencyRow).where(
            IdempotencyRow.actor == key.actor,
            IdempotencyRow.method == key.method,
            IdempotencyRow.path == key.path,
            IdempotencyRow.key == key.key,
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != key.request_sha256:
        raise KeyReused(
            f"Idempotency-Key {key.key!r} was used here with another body", hint="use a new key for a new request"
        )
    return Remembered(row.job_id, row.status)


def remember(tx: Tx, key: IdempotencyKey | None, job: int | None, status: int) -> None:
    """Records the first use of the key, in the transaction that accepts the request."""
    if key is None:
        return
    tx.execute(
        insert(IdempotencyRow).values(
            actor=key.actor, method=key.method, path=key.path, key=key.key, request_sha256=key.request_sha256,
            job_id=job, status=status,
        )
    )  # fmt: skip
