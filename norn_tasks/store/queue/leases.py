"""Renews leases, and reads with the same statement whether a job is cancelled or its worker drains.

A row that another session has locked is skipped, because waiting for it could cost the leases of all other jobs of the
worker. The lease of the skipped job is not renewed, but nobody can take the job over, because the sweeper skips locked
rows too. If the row stays locked, the job stops itself, as if the database were unreachable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules import fence


@dataclass(frozen=True)
class LeaseRenewal:
    """The state of a job whose token is valid. `renewed` is False if another session had locked its row; the end of its
    lease is then unchanged.
    """

    renewed: bool
    cancel: bool
    draining: bool


_HELD = fence.held("j", "h.id", "h.token")
_RENEW = text(f"""
WITH held AS (SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:tokens AS bigint[])) AS h(id, token)),
free AS (
  SELECT j.id FROM jobs j JOIN held h ON {_HELD} FOR NO KEY UPDATE OF j SKIP LOCKED),
renewed AS (
  UPDATE jobs j SET lease_until = clock_timestamp() + make_interval(secs => :lease) FROM free
   WHERE j.id = free.id RETURNING j.id, j.cancel_requested_at)
SELECT j.id, j.lease_token, r.id IS NOT NULL AS renewed,
  coalesce(r.cancel_requested_at, j.cancel_requested_at) IS NOT NULL AS cancel,
  EXISTS (SELECT 1 FROM workers w WHERE w.name = j.lease_owner AND w.draining_at IS NOT NULL) AS draining
  FROM jobs j JOIN held h ON {_HELD} LEFT JOIN renewed r ON r.id = j.id""")  # noqa: S608 - built from a constant


def renew(tx: Tx, fences: Sequence[Fence], lease: float) -> dict[Fence, LeaseRenewal]:
    """Renews the leases, for `lease` seconds from now by the database's clock.

    Returns, for each fence that still holds, the state of its job; a fence that is not in the result no longer holds.
    """
    bound = {"ids": [f.job for f in fences], "tokens": [f.token for f in fences], "lease": lease}
    rows = tx.execute(_RENEW, bound)
    return {Fence(row.id, row.lease_token): LeaseRenewal(row.renewed, row.cancel, row.draining) for row in rows}


_EXPIRE = text("""
UPDATE jobs SET lease_until = clock_timestamp() WHERE id IN (
  SELECT id FROM jobs WHERE lease_owner = :worker AND state = 'running' AND lease_until > clock_timestamp()
     FOR UPDATE SKIP LOCKED)""")


def expire(tx: Tx, worker: str) -> None:
    """Ends the leases of a worker whose process is known to have ended, so that the next sweep moves its jobs."""
    tx.execute(_EXPIRE, {"worker": worker})
