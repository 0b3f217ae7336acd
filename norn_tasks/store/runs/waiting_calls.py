"""Counts the calls of a function that wait to begin, so that its queue can be bounded."""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Tx

_COUNT = Prepared(
    f"""SELECT count(*) AS n FROM (
  SELECT FROM jobs WHERE class = '{JobClass.INVOKE}' AND app = CAST(:app AS text) AND state = 'queued'
     AND sync = CAST(:sync AS boolean) LIMIT CAST(:most AS bigint)) w"""  # noqa: S608 - built from constants
)
_COUNT_OF = Prepared(
    f"""SELECT count(*) AS n FROM (
  SELECT FROM jobs WHERE class = '{JobClass.INVOKE}' AND app = CAST(:app AS text) AND state = 'queued'
     AND sync = CAST(:sync AS boolean) AND actor = CAST(:actor AS text) LIMIT CAST(:most AS bigint)) w"""  # noqa: S608
)
_AT_ONCE = 64
"""If at most this many places are free, transactions that accept calls take turns. More than this many of them never
run at the same time, because each needs a connection to the database.
"""
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('norn-waiting-calls'), hashtext(:app))")


def free_places(tx: Tx, app: str, *, sync: bool, most: int) -> int:
    """Returns how many more synchronous (or asynchronous) calls of the app may wait, of `most`.

    Transactions that accept calls at the same moment do not see each other's calls. So when the number of waiting calls
    is close to `most`, the transactions take turns: each holds a lock until it ends.
    """
    values = {"app": app, "sync": sync, "most": most}
    waiting = int(run(tx, _COUNT, values).scalar_one())
    if waiting + _AT_ONCE < most:
        return most - waiting
    tx.execute(_LOCK, {"app": app})
    return most - int(run(tx, _COUNT, values).scalar_one())


def free_places_of(tx: Tx, app: str, actor: str, *, sync: bool, most: int) -> int:
    """Returns how many more calls of the app from one sender may wait, of `most`."""
    return most - int(run(tx, _COUNT_OF, {"app": app, "sync": sync, "actor": actor, "most": most}).scalar_one())
