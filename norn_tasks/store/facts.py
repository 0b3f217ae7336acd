"""Telling events: a row in the transaction of the fact it tells, and a NOTIFY that reaches its readers after commit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, text, update

from norn_tasks.domain.event import EventKind
from norn_tasks.store.session import EVENTS, Tx
from norn_tasks.store.tables import Event, JobRow


def tell(tx: Tx, kind: EventKind, /, *, app: str | None = None, job: int | None = None, **data: Any) -> None:
    """Records an event; one of a job gets the job's next sequence number, gap-free because it locks the job's row."""
    seq = _next_seq(tx, job) if job is not None else None
    tx.execute(insert(Event).values(kind=str(kind), app=app, job_id=job, seq=seq, data=data))
    notify(tx, EVENTS, "" if job is None else str(job))


def _next_seq(tx: Tx, job: int) -> int:
    counted = tx.execute(
        update(JobRow).where(JobRow.id == job).values(event_seq=JobRow.event_seq + 1).returning(JobRow.event_seq)
    )
    return int(counted.scalar_one())


def notify(tx: Tx, channel: str, payload: str = "") -> None:
    """Sends a NOTIFY with the commit of this transaction."""
    tx.execute(select(text("pg_notify(:channel, :payload)")), {"channel": channel, "payload": payload})
