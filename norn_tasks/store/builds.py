"""The queue of builds: one at a time per engine, in the order in which they asked.

A place counts only while its job runs under the token that asked: a dead worker's build blocks nobody for longer than
its lease. The step that waits says for whom.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.job import Fence
from norn_tasks.store.session import Tx

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('build ' || :engine, 0))")
_ASK = text("""
INSERT INTO builds(job_id, engine, token) VALUES (:job, :engine, :token)
ON CONFLICT (job_id) DO UPDATE SET engine = :engine, token = :token, asked_at = clock_timestamp()""")
_AHEAD = text("""
SELECT b.job_id, j.app FROM builds b JOIN jobs j ON j.id = b.job_id AND j.lease_token = b.token AND j.state = 'running'
 WHERE b.engine = :engine AND (b.asked_at, b.job_id) < (SELECT m.asked_at, m.job_id FROM builds m WHERE m.job_id = :job)
 ORDER BY b.asked_at, b.job_id LIMIT 1""")
_NOTE = text("UPDATE steps SET note = :note WHERE job_id = :job AND token = :token AND state = 'running'")
_GONE = text("""
DELETE FROM builds b WHERE b.job_id = :job OR NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.id = b.job_id AND j.lease_token = b.token AND j.state = 'running')""")


def ask(tx: Tx, engine: str, fence: Fence) -> None:
    """Joins the queue. The lock makes the order of asking that of committing: who looks next sees whoever is ahead."""
    tx.execute(_LOCK, {"engine": engine})
    tx.execute(_ASK, {"engine": engine, "job": fence.job, "token": fence.token})


def ahead(tx: Tx, engine: str, fence: Fence) -> str | None:
    """Answers whose build is to end first, and writes that into the waiting step; None when it is our turn."""
    row = tx.execute(_AHEAD, {"engine": engine, "job": fence.job}).one_or_none()
    told = None if row is None else f"the build of {row.app} (job {row.job_id})"
    note = "" if told is None else f"waiting for {told}: one build at a time per engine"
    tx.execute(_NOTE, {"note": note, "job": fence.job, "token": fence.token})
    return told


def leave(tx: Tx, fence: Fence) -> None:
    """Gives the place back, and takes away those of builds that died."""
    tx.execute(_GONE, {"job": fence.job})
