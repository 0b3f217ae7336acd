"""Publishes events: a row in the same transaction as its fact, and a NOTIFY that reaches readers after the commit."""

from __future__ import annotations

import json
from typing import Any

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Tx, note

_TELL = Prepared("""
INSERT INTO events(kind, app, data) VALUES (:kind, :app, CAST(:data AS jsonb))""")

_TELL_OF_JOB = Prepared("""
WITH counted AS (UPDATE jobs SET event_seq = event_seq + 1 WHERE id = :job RETURNING id, event_seq)
INSERT INTO events(kind, app, job_id, seq, data)
SELECT CAST(:kind AS text), CAST(:app AS text), id, event_seq, CAST(:data AS jsonb) FROM counted
RETURNING id""")


def publish(tx: Tx, kind: EventKind, /, *, app: str | None = None, job: int | None = None, **data: Any) -> None:
    """Records an event. An event of a job gets the job's next number, without gaps, because the job's row is locked."""
    bound: dict[str, Any] = {"kind": str(kind), "app": app, "data": json.dumps(data)}
    if job is None:
        run(tx, _TELL, bound)
    else:
        run(tx, _TELL_OF_JOB, {**bound, "job": job}).one()
    note(tx, EVENTS, "" if job is None else str(job))


def notify(tx: Tx, channel: str, payload: str = "") -> None:
    """Stores a NOTIFY, to be sent when this transaction has committed."""
    note(tx, channel, payload)
