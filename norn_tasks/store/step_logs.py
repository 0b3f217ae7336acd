"""A step's output as rows: the first 64 KiB and the last 192 KiB of it, written under the job's token."""

from __future__ import annotations

from sqlalchemy import select, text

from norn_tasks.domain.job import Fence
from norn_tasks.store.facts import notify
from norn_tasks.store.session import EVENTS, Row, Tx
from norn_tasks.store.tables import StepLog

_APPEND = text("""
INSERT INTO step_logs(job_id, step, seq, chunk, stream)
SELECT :job, :step, :seq, :chunk, :stream
 WHERE EXISTS (SELECT 1 FROM jobs WHERE id = :job AND lease_token = :token AND state = 'running')
ON CONFLICT DO NOTHING""")


def last_seq(tx: Tx, job: int, step: str) -> int:
    """Answers the highest number that the step's output has, 0 when it has none."""
    found = text("SELECT coalesce(max(seq), 0) FROM step_logs WHERE job_id = :job AND step = :step")
    return int(tx.scalar(found, {"job": job, "step": step}) or 0)


def append(tx: Tx, fence: Fence, step: str, seq: int, chunk: str, stream: str = "stdout") -> None:
    """Adds a piece; nothing happens when the fence has fallen."""
    clean = chunk.replace("\0", "\ufffd")
    piece = {"step": step, "seq": seq, "chunk": clean, "stream": stream}
    tx.execute(_APPEND, {"job": fence.job, "token": fence.token, **piece})
    notify(tx, EVENTS, str(fence.job))


def drop(tx: Tx, job: int, step: str, first: int, last: int) -> None:
    """Forgets pieces between head and tail."""
    gone = text("DELETE FROM step_logs WHERE job_id = :job AND step = :step AND seq BETWEEN :first AND :last")
    tx.execute(gone, {"job": job, "step": step, "first": first, "last": last})


def read(tx: Tx, job: int, step: str | None, after: tuple[int, int] = (0, 0)) -> list[Row]:
    """Answers pieces in the order of the steps, after the place (step number, seq), each with `n`, `step`, `seq`,
    `stream`, `chunk` and `at`.
    """
    rows = text("""
        SELECT s.n, l.step, l.seq, l.stream, l.chunk, l.at
          FROM step_logs l JOIN steps s ON s.job_id = l.job_id AND s.name = l.step
         WHERE l.job_id = :job AND (CAST(:step AS text) IS NULL OR l.step = :step) AND (s.n, l.seq) > (:n, :seq)
         ORDER BY s.n, l.seq LIMIT 500""")
    bound = {"job": job, "step": step, "n": after[0], "seq": after[1]}
    return list(tx.execute(rows, bound).mappings())


def tail(tx: Tx, job: int, step: str, lines: int) -> list[str]:
    """Answers the step's last lines."""
    chunks = tx.scalars(select(StepLog.chunk).where(StepLog.job_id == job, StepLog.step == step).order_by(StepLog.seq))
    return "".join(chunks).splitlines()[-lines:]
