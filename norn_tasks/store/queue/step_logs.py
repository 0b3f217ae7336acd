"""A step's output as rows: the first 64 KiB and the last 192 KiB of it, written under the job's token."""

from __future__ import annotations

from sqlalchemy import select, text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import EVENTS, Row, Tx
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.rules import fence
from norn_tasks.store.tables import StepLogRow

_APPEND = text(f"""
INSERT INTO step_logs(job_id, step, seq, chunk, stream)
SELECT :job, :step, :seq, :chunk, :stream
 WHERE EXISTS (SELECT 1 FROM jobs WHERE {fence.held()})
ON CONFLICT DO NOTHING""")  # noqa: S608 - built from a constant


def last_seq(tx: Tx, job: int, step: str) -> int:
    """Returns the highest sequence number of the step's output; 0 if it has none."""
    found = text("SELECT coalesce(max(seq), 0) FROM step_logs WHERE job_id = :job AND step = :step")
    return int(tx.scalar(found, {"job": job, "step": step}) or 0)


def append(tx: Tx, fence: Fence, step: str, seq: int, chunk: str, stream: str = "stdout") -> None:
    """Adds a chunk; does nothing if the fence no longer holds."""
    clean = chunk.replace("\0", "\ufffd")
    piece = {"step": step, "seq": seq, "chunk": clean, "stream": stream}
    tx.execute(_APPEND, {"job": fence.job, "token": fence.token, **piece})
    notify(tx, EVENTS, str(fence.job))


def drop(tx: Tx, job: int, step: str, first: int, last: int) -> None:
    """Deletes the chunks with the numbers `first` to `last`, which lie between the kept beginning and the kept end."""
    gone = text("DELETE FROM step_logs WHERE job_id = :job AND step = :step AND seq BETWEEN :first AND :last")
    tx.execute(gone, {"job": job, "step": step, "first": first, "last": last})


def read(tx: Tx, job: int, step: str | None, after: tuple[int, int] = (0, 0), above: int = -1) -> list[Row]:
    """Returns chunks in the order of the steps, after the cursor (step number, seq), each with `n`, `step`, `seq`,
    `stream`, `chunk` and `at`; with `above`, only chunks with a higher seq. A step without a row counts as step 1,
    because the only step of a job may get its row only when it ends.
    """
    rows = text("""
        SELECT coalesce(s.n, 1) AS n, l.step, l.seq, l.stream, l.chunk, l.at
          FROM step_logs l LEFT JOIN steps s ON s.job_id = l.job_id AND s.name = l.step
         WHERE l.job_id = :job AND (CAST(:step AS text) IS NULL OR l.step = :step)
           AND (coalesce(s.n, 1), l.seq) > (:n, :seq) AND l.seq > :above
         ORDER BY 1, l.seq LIMIT 500""")
    bound = {"job": job, "step": step, "n": after[0], "seq": after[1], "above": above}
    return list(tx.execute(rows, bound).mappings())


def tail(tx: Tx, job: int, step: str, lines: int) -> list[str]:
    """Returns the step's last lines."""
    chunks = tx.scalars(
        select(StepLogRow.chunk).where(StepLogRow.job_id == job, StepLogRow.step == step).order_by(StepLogRow.seq)
    )
    return "".join(chunks).splitlines()[-lines:]
