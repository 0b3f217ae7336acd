"""Renewing leases, and reading with the same statement what each job should know: cancelled, or its worker draining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.job import Fence
from norn_tasks.store.session import Tx


@dataclass(frozen=True)
class Beat:
    """A lease that was renewed, and what the ledger says of its job."""

    cancel: bool
    draining: bool


_RENEW = text("""
UPDATE jobs j SET lease_until = clock_timestamp() + make_interval(secs => :lease)
  FROM unnest(CAST(:ids AS bigint[]), CAST(:tokens AS bigint[])) AS held(id, token)
 WHERE j.id = held.id AND j.lease_token = held.token AND j.state = 'running'
RETURNING j.id, j.lease_token, j.cancel_requested_at IS NOT NULL AS cancel,
  EXISTS (SELECT 1 FROM workers w WHERE w.name = j.lease_owner AND w.draining_at IS NOT NULL) AS draining""")


def renew(tx: Tx, fences: Sequence[Fence], lease: float) -> dict[Fence, Beat]:
    """Renews the leases, for `lease` seconds from now by the database's clock; a fence not answered has fallen."""
    bound = {"ids": [f.job for f in fences], "tokens": [f.token for f in fences], "lease": lease}
    rows = tx.execute(_RENEW, bound)
    return {Fence(row.id, row.lease_token): Beat(row.cancel, row.draining) for row in rows}
