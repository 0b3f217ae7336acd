"""The bytes of a call that are kept after its answer was read: all, all except the request, or only sizes and hashes.

The API reads the answer of a synchronous call. The answer of an asynchronous call counts as read some time after the
call's end.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.store.database.session import Tx

_NOT_ALL = "record <> 'full' AND trimmed_at IS NULL AND finished_at IS NOT NULL"
_ONE = f"SELECT id FROM func_executions WHERE {_NOT_ALL} AND id = :execution FOR UPDATE"  # noqa: S608
_DUE = f"""SELECT id FROM func_executions
 WHERE {_NOT_ALL} AND finished_at < clock_timestamp() - make_interval(secs => :ttl)
 ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED"""  # noqa: S608
_OVER = """SELECT id FROM (
    SELECT id, sum(request_size + coalesce(response_size, 0)) OVER (PARTITION BY app ORDER BY id DESC) AS bytes
      FROM func_executions WHERE trimmed_at IS NULL AND finished_at < clock_timestamp() - make_interval(secs => :ttl)
     ) AS kept WHERE bytes > :most ORDER BY id LIMIT :limit"""
_DROP = (
    """UPDATE func_executions f SET trimmed_at = clock_timestamp(),
        request_sha256 = encode(sha256(io.request), 'hex'), response_sha256 = encode(sha256(io.response), 'hex')
        FROM execution_io io WHERE io.execution = f.id AND f.id = ANY(:ids)""",
    "DELETE FROM execution_io WHERE execution = ANY(:ids)",
)
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
    """Deletes the bytes of a call whose answer was just read, except those that its `record` keeps."""
    _trim(tx, list(tx.scalars(text(_ONE), {"execution": execution})))


def trim_due(tx: Tx, ttl: float, limit: int) -> int:
    """Deletes the bytes of at most `limit` calls that ended at least `ttl` seconds ago; returns their number."""
    ids = list(tx.scalars(text(_DUE), {"ttl": ttl, "limit": limit}))
    _trim(tx, ids)
    return len(ids)


def trim_over(tx: Tx, most: int, ttl: float, limit: int) -> int:
    """Deletes the bytes of the oldest calls of each app that keeps more than `most` bytes; returns the number of calls.

    Calls that ended less than `ttl` seconds ago keep their bytes. One call of this function handles at most `limit`
    calls.
    """
    ids = list(tx.scalars(text(_OVER), {"most": most, "ttl": ttl, "limit": limit}))
    for statement in _DROP if ids else ():
        tx.execute(text(statement), {"ids": ids})
    return len(ids)


def _trim(tx: Tx, ids: list[int]) -> None:
    for statement in _TRIM if ids else ():
        tx.execute(text(statement), {"ids": ids})
