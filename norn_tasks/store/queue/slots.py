"""Slots: rows that limit concurrency. An app has a number of slots in a class; a job runs only while it holds one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import OPEN_STATES

EXTRA = 1_000_000
"""A slot with a number above this one belongs to a single job, such as a forced run, and is deleted when that
job ends.
"""


def resize(tx: Tx, job_class: JobClass, app: str, count: int) -> None:
    """Gives the app `count` slots; a surplus slot that a job still holds is deleted when the job releases it."""
    bound = {"class": str(job_class), "app": app, "count": count}
    tx.execute(
        text("""INSERT INTO slots(class, app, n) SELECT :class, :app, n FROM generate_series(1, :count) n
                ON CONFLICT DO NOTHING"""),
        bound,
    )
    tx.execute(text("DELETE FROM slots WHERE class = :class AND app = :app AND n > :count AND job_id IS NULL"), bound)
    tx.execute(_MARK, bound | {"extra": EXTRA})


_MARK = text("""
UPDATE slots SET surplus = n > :count
 WHERE class = :class AND app = :app AND n <= :extra AND surplus <> (n > :count)""")


def hold_extra(tx: Tx, job_class: JobClass, app: str, job: int) -> None:
    """Gives a job, such as a forced run, a slot of its own in addition to the app's slots."""
    tx.execute(
        text("INSERT INTO slots(class, app, n, job_id) VALUES (:class, :app, :n, :job)"),
        {"class": str(job_class), "app": app, "n": EXTRA + job, "job": job},
    )


def release_unseen(tx: Tx, engine: str, there: Sequence[str]) -> None:
    """Frees the slots of ended jobs whose container is no longer on the engine; `there` are the containers on it.

    A job also loses its slot if it ended over an hour ago on an engine that no worker has now. Norn assumes that such
    an engine was replaced, with all its containers.
    """
    ended = text(f"""SELECT j.id FROM jobs j LEFT JOIN memory_held h ON h.job_id = j.id
        WHERE j.id IN (SELECT job_id FROM slots WHERE job_id IS NOT NULL UNION ALL SELECT job_id FROM memory_held)
          AND j.state NOT IN {OPEN_STATES}
          AND ((coalesce(j.container_engine, h.engine, nullif(j.engine, 'home'), :engine) = :engine
                AND NOT j.container = ANY(:there))
               OR (j.ended_at < clock_timestamp() - interval '1 hour'
                   AND coalesce(j.container_engine, h.engine, j.engine) NOT IN ('home', :engine)
                   AND NOT EXISTS (SELECT 1 FROM workers w WHERE coalesce(j.container_engine, h.engine, j.engine)
                                    = ANY(array_append(w.engines, w.engine)))))""")  # noqa: S608 - built from a constant
    for job in tx.scalars(ended, {"engine": engine, "there": list(there)}).all():
        release(tx, job)


def put_back(tx: Tx, job: int) -> None:
    """Frees the slot and the memory of a job that is queued again; the job keeps a slot that was made for it alone."""
    run(tx, _PUT_BACK, {"job": job, "extra": EXTRA})


def release(tx: Tx, job: int) -> None:
    """Frees the slot and the memory that a job holds, if any."""
    run(tx, _RELEASE, {"job": job, "extra": EXTRA})


_PUT_BACK = Prepared("""
WITH memory AS (DELETE FROM memory_held WHERE job_id = :job),
spent AS (DELETE FROM slots WHERE job_id = :job AND surplus)
UPDATE slots SET job_id = NULL WHERE job_id = :job AND n <= :extra AND NOT surplus""")
_RELEASE = Prepared("""
WITH spent AS (DELETE FROM slots WHERE job_id = :job AND (n > :extra OR surplus)),
memory AS (DELETE FROM memory_held WHERE job_id = :job)
UPDATE slots SET job_id = NULL WHERE job_id = :job AND n <= :extra AND NOT surplus""")

RELEASED = f"""spent AS (DELETE FROM slots s USING job WHERE s.job_id = job.id AND (s.n > {EXTRA} OR s.surplus)),
memory AS (DELETE FROM memory_held h USING job WHERE h.job_id = job.id),
slot AS (
  UPDATE slots s SET job_id = NULL FROM job WHERE s.job_id = job.id AND s.n <= {EXTRA} AND NOT s.surplus)"""  # noqa: S608
"""Common table expressions that free the slots and the memory of the jobs in the table `job`."""
