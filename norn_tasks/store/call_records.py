"""What stays of a call's bytes once its answer was taken: all of them, all but the request, or sizes and hashes.

A synchronous answer is taken when the API has read it; an asynchronous one counts as taken some time after its end.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.store.session import Tx

_NOT_ALL = "record <> 'full' AND trimmed_at IS NULL AND finished_at IS NOT NULL"
_ONE = f"SELECT id FROM func_executions WHERE {_NOT_ALL} AND id = :execution FOR UPDATE"  # noqa: S608
_DUE = f"""SELECT id FROM func_executions
 WHERE {_NOT_ALL} AND finished_at < clock_timestamp() - make_interval(secs => :ttl)
 ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED"""  # noqa: S608
_TRIM = (
    """UPDATE func_executions f SET trimmed_at = clock_timestamp(), query = '', headers = '{}',
        request_sha256 = encode(sha256(io.request), 'hex'), response_sha256 = encode(sha256(io.response), 'hex')
        FROM execution_io io WHERE io.execution = f.id AND f.id = ANY(:ids)""",
    """UPDATE execution_io io SET request = NULL FROM func_executions f
        WHERE f.id = io.execution AND f.record = 'output' AND io.execution = ANY(:ids)""",
    """DELETE FROM execution_io io USING func_executions f
        WHERE f.id = io.execution AND f.record = 'meta' AND io.execution = ANY(:ids)""",
)


def taken(tx: Tx, execution: int) -> None:
    """The answer of a call was taken: what is not to stay goes now."""
    _trim(tx, list(tx.scalars(text(_ONE), {"execution": execution})))


def trim_due(tx: Tx, ttl: float, limit: int) -> int:
    """Drops what is not to stay of calls that ended so many seconds ago; answers of how many, at most `limit`."""
    ids = list(tx.scalars(text(_DUE), {"ttl": ttl, "limit": limit}))
    _trim(tx, ids)
    return len(ids)


def _trim(tx: Tx, ids: list[int]) -> None:
    for statement in _TRIM if ids else ():
        tx.execute(text(statement), {"ids": ids})
