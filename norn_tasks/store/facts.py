"""Telling events: a row in the transaction of the fact it tells, and a NOTIFY that reaches its readers after commit."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, text

from norn_tasks.domain.event import EventKind
from norn_tasks.store.session import EVENTS, Tx

_TELL = text("""
INSERT INTO events(kind, app, data) VALUES (:kind, :app, CAST(:data AS jsonb))
RETURNING pg_notify(:channel, '')""")

_TELL_OF_JOB = text("""
WITH counted AS (UPDATE jobs SET event_seq = event_seq + 1 WHERE id = :job RETURNING id, event_seq)
INSERT INTO events(kind, app, job_id, seq, data)
SELECT :kind, :app, id, event_seq, CAST(:data AS jsonb) FROM counted
RETURNING pg_notify(:channel, CAST(job_id AS text))""")


def tell(tx: Tx, kind: EventKind, /, *, app: str | None = None, job: int | None = None, **data: Any) -> None:
    """Records an event; one of a job gets the job's next sequence number, gap-free because it locks the job's row."""
    bound: dict[str, Any] = {"kind": str(kind), "app": app, "data": json.dumps(data), "channel": EVENTS}
    if job is None:
        tx.execute(_TELL, bound)
    else:
        tx.execute(_TELL_OF_JOB, {**bound, "job": job}).one()


def notify(tx: Tx, channel: str, payload: str = "") -> None:
    """Sends a NOTIFY with the commit of this transaction."""
    tx.execute(select(text("pg_notify(:channel, :payload)")), {"channel": channel, "payload": payload})
