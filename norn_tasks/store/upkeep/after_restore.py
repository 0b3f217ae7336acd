"""Prepares a restored database for its first process: it is on another PostgreSQL server now, and time has passed.

Events are ordered by transaction ids, which belong to one server: the restored events get an id that is older than any
id of this server. Some numbers also exist outside the database: those of jobs, executions and claims in the labels of
containers, and those of snapshots in file names. After a restore these numbers continue after a gap, because some were
assigned after the backup.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import LONG_RUNNING_ROLES

LEAP = 1_000_000
"""The size of the gap: more numbers than a control plane assigns between its last backup and a restore."""
_OUTSIDE = ("fence", "executions", "jobs_id_seq", "deployments_id_seq", "events_id_seq", "snapshots_id_seq")
_OLDEST = "3"
"""The first ordinary transaction id of any PostgreSQL server."""
_COUNTED = text("""
UPDATE chores SET did = jsonb_build_object('xact', CAST(:oldest AS bigint), 'id', coalesce((
    SELECT max(e.id) FROM events e
     WHERE (e.xact, e.id) <= (CAST(chores.did->>'xact' AS xid8), CAST(chores.did->>'id' AS bigint))), 0))
 WHERE name = 'tallies' AND did <> '{}'""")
"""Moves the cursor of the counters to the same event, under the transaction id that it has after the restore."""


def is_empty(tx: Tx) -> bool:
    """Returns True if the database has no tables."""
    return not tx.scalar(text("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public')"))


def clear(tx: Tx) -> None:
    """Removes everything from the database."""
    tx.execute(text("DROP SCHEMA public CASCADE"))
    tx.execute(text("CREATE SCHEMA public"))


def settle(tx: Tx) -> None:
    """Adapts the restored rows to this PostgreSQL server and to the present time. May be repeated."""
    tx.execute(_COUNTED, {"oldest": _OLDEST})
    for table in ("sessions", "sign_in_codes"):  # sessions that ended after the backup stay ended
        tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    tx.execute(text("UPDATE events SET xact = CAST(:oldest AS xid8)"), {"oldest": _OLDEST})
    for sequence in _OUTSIDE:
        tx.execute(text(f"SELECT setval('{sequence}', (SELECT last_value FROM {sequence}) + :leap)"), {"leap": LEAP})  # noqa: S608


def long_running(tx: Tx) -> list[str]:
    """Returns the apps whose containers should exist."""
    return list(
        tx.scalars(
            text(f"""SELECT name FROM apps WHERE role IN {LONG_RUNNING_ROLES} AND forge_state = 'forged'
                     AND live_deployment IS NOT NULL ORDER BY name""")  # noqa: S608 - built from a constant
        )
    )
