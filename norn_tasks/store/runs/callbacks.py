"""Callbacks of asynchronous calls: when a call has ended, a destination for notifications gets a signed report about
it.

A callback is a row of its own, written with the call. When the call has ended, the scheduler turns the row into a
delivery, no matter whether the code ended, the call was cancelled, or no worker began it in time.
"""

from __future__ import annotations

from sqlalchemy import insert, select, text

from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import CALL_ENDED
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store import tables as t
from norn_tasks.store.database.session import Tx

_ENDED = text(f"""
WITH ended AS (
  DELETE FROM callbacks c USING (
    SELECT k.execution FROM callbacks k LEFT JOIN func_executions f ON f.id = k.execution
     WHERE f.id IS NULL OR f.finished_at IS NOT NULL ORDER BY k.execution LIMIT :limit FOR UPDATE OF k SKIP LOCKED) due
   WHERE c.execution = due.execution RETURNING c.execution, c.destination)
INSERT INTO deliveries(destination, subject, event, app, body)
SELECT e.destination, 'call-' || e.execution, '{CALL_ENDED}', f.app, jsonb_build_object(
         'event', '{CALL_ENDED}', 'app', f.app, 'execution', f.id, 'job', f.job_id, 'release', f.release,
         'state', f.state, 'cause', f.cause, 'sentence', f.sentence, 'exit_code', f.exit_code,
         'duration_ms', f.duration_ms,
         'finished_at', to_char(f.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'href', '/api/invocations/' || f.id)
  FROM ended e JOIN func_executions f ON f.id = e.execution JOIN destinations d ON d.id = e.destination
ON CONFLICT (destination, subject) DO NOTHING""")  # noqa: S608 - built from a constant


def wish(tx: Tx, execution: int, app: str, name: str) -> None:
    """Writes the callback of a call; raises InvalidRequest for a destination that the app cannot use."""
    d = t.DestinationRow
    row = tx.execute(select(d.id, d.format, d.apps).where(d.name == name)).first()
    if row is None or row.format != NotificationFormat.JSON or (row.apps is not None and app not in row.apps):
        raise InvalidRequest(
            f"X-Norn-Callback: {app} has no destination {name[:80]!r} that takes signed JSON",
            hint="an admin makes one: norn notify add NAME https://…",
        )
    tx.execute(insert(t.CallbackRow).values(execution=execution, destination=row.id))


def ended(tx: Tx, limit: int) -> int:
    """Creates a delivery for each callback whose call has ended, at most `limit`; returns how many."""
    return tx.execute(_ENDED, {"limit": limit}).rowcount
