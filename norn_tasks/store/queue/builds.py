"""The turn to build: on each engine, one job at a time may build.

A turn counts only while its job runs under the token that took it. So the build of a dead worker blocks other builds
only until the lease of its job ends. A job that finds the turn taken goes back to the queue, and is not claimed again
before the turn is free.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules import fence
from norn_tasks.store.rules.lists import OPEN_STATES

_WAITS = 0
"""The token in the row of a job that waits for its turn; no claim ever has this token."""
_TAKEN = f"SELECT {{columns}} FROM builds b JOIN jobs o ON {fence.held('o', 'b.job_id', 'b.token')}"  # noqa: S608 - built from constants
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('build ' || :engine, 0))")
_ASK = text("""
INSERT INTO builds(job_id, engine, token) VALUES (:job, :engine, :token)
ON CONFLICT (job_id) DO UPDATE SET engine = :engine, token = :token""")
_HOLDER = text(f"""
{_TAKEN.format(columns="b.job_id, o.app")} WHERE b.engine = :engine AND b.job_id <> :job LIMIT 1""")
_GONE = text(f"""
DELETE FROM builds b WHERE b.job_id = :job
    OR NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = b.job_id AND j.state IN {OPEN_STATES})""")  # noqa: S608 - built from constants


def is_taken(engine: str) -> str:
    """Returns SQL that is true when a queued job `c` waits for its turn and another job has the turn on `engine`."""
    of_engine = f"{_TAKEN.format(columns='1')} WHERE b.engine = {engine} AND b.job_id <> c.id"
    return f"(EXISTS (SELECT 1 FROM builds q WHERE q.job_id = c.id) AND EXISTS ({of_engine}))"  # noqa: S608


_WAITING = text(f"""
SELECT q.job_id AS id, h.job_id AS other, h.app FROM builds q JOIN jobs c ON c.id = q.job_id AND c.state = 'queued',
  LATERAL ({_TAKEN.format(columns="b.job_id, o.app")} WHERE b.engine = q.engine AND b.job_id <> q.job_id LIMIT 1) h
 WHERE q.job_id = ANY(:jobs)""")  # noqa: S608 - built from constants


@dataclass(frozen=True)
class TurnTaken:
    """The build that has the turn of an engine at present."""

    job: int
    app: str

    def __str__(self) -> str:
        return f"the build of {self.app} (job {self.job}) to end: one build at a time per engine"


def take(tx: Tx, engine: str, fence: Fence) -> TurnTaken | None:
    """Takes the turn and returns None; if another build has it, records that the job waits, and returns that build.

    Callers wait for each other at a lock, so that each caller sees the turn that the previous one took.
    """
    tx.execute(_LOCK, {"engine": engine})
    held = tx.execute(_HOLDER, {"engine": engine, "job": fence.job}).one_or_none()
    token = fence.token if held is None else _WAITS
    tx.execute(_ASK, {"engine": engine, "job": fence.job, "token": token})
    return None if held is None else TurnTaken(held.job_id, held.app)


def leave(tx: Tx, fence: Fence) -> None:
    """Releases the turn, and deletes rows of builds whose jobs have ended."""
    tx.execute(_GONE, {"job": fence.job})


def waiting(tx: Tx, jobs: list[int]) -> dict[int, TurnTaken]:
    """Returns, for each of these jobs that waits for its turn, the build that has the turn."""
    return {row.id: TurnTaken(row.other, row.app) for row in tx.execute(_WAITING, {"jobs": jobs})}
