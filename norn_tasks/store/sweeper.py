"""The sweeper moves every stuck state (reliability.md has the table); only it takes a job from running back to queued.

It is SQL over the ledger, run every few seconds by every beat: rows are locked with SKIP LOCKED, so any number may run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text, update

from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobClass, JobKind, JobState, Problem
from norn_tasks.domain.placing import HOME
from norn_tasks.store import memory, slots
from norn_tasks.store.endings import end
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Database, Row, Tx
from norn_tasks.store.tables import JobRow

BATCH, BATCHES = 200, 25
"""How many rows one transaction moves, and how many transactions one sweep makes of a kind of trouble."""
ENGINE_SILENCE = 120.0
"""Seconds after which a job pinned to an engine that no worker speaks for is given up."""


@dataclass(frozen=True)
class Swept:
    """What one sweep did: how many rows it moved, which classes have new work, which executions have ended."""

    moved: int
    classes: frozenset[JobClass]
    executions: tuple[int, ...]


_CANCELLED = "state = 'queued' AND cancel_requested_at IS NOT NULL AND NOT (adopt AND container IS NOT NULL)"
_EXPIRED = """state = 'queued' AND deadline < clock_timestamp()
    AND (begun_at IS NULL OR container IS NULL AND NOT adopt)"""
_DEAD = "state = 'queued' AND claims >= :max_claims"
_ENGINE_GONE = f"""state = 'queued' AND engine <> '{HOME}'
    AND NOT (kind = 'cron-run' AND begun_at IS NULL AND container IS NULL)
    AND created_at < clock_timestamp() - interval '{ENGINE_SILENCE:g} s'
    AND NOT EXISTS (SELECT 1 FROM engines e WHERE e.id = jobs.engine
                     AND e.seen_at > clock_timestamp() - interval '{ENGINE_SILENCE:g} s')
    AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.engine = jobs.engine
                     AND w.seen_at > clock_timestamp() - interval '{ENGINE_SILENCE:g} s')
    AND coalesce((SELECT min(b.started_at) FROM beats b WHERE b.seen_at > clock_timestamp() - interval '15 s')
                 < clock_timestamp() - interval '{ENGINE_SILENCE:g} s', true)"""  # noqa: S608
"""Silence counts from when a beat listens: after a Norn that was down for long, its workers come a moment later. A cron
run that has not begun waits on: it has a deadline of its own, and moves on to the engine of the next release.
"""
_LOST = "state = 'running' AND lease_until < clock_timestamp()"


def sweep(database: Database, *, max_claims: int) -> Swept:
    """Moves everything that is stuck, each kind of trouble in a transaction of its own."""
    moved: list[Row] = []
    for where, move in (
        (_CANCELLED, _cancel),
        (_EXPIRED, _expire),
        (_ENGINE_GONE, _engine_gone),
        (_DEAD, _die),
        (_LOST, _rescue),
    ):
        for _ in range(BATCHES):
            rows = _moved(database, where, max_claims, move)
            moved += rows
            if len(rows) < BATCH:
                break
    return Swept(
        moved=len(moved),
        classes=frozenset(JobClass(row["class"]) for row in moved),
        executions=tuple(row["execution"] for row in moved if row["execution"] is not None),
    )


def _moved(database: Database, where: str, max_claims: int, move: Callable[[Tx, Row], None]) -> list[Row]:
    with database.transaction() as tx:
        rows = _locked(tx, where, max_claims)
        for row in rows:
            move(tx, row)
        return rows


def _locked(tx: Tx, where: str, max_claims: int) -> list[Row]:
    query = f"SELECT * FROM jobs WHERE {where} ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED"  # noqa: S608
    bound = {"max_claims": max_claims} if ":max_claims" in where else {}
    return list(tx.execute(text(query), bound).mappings())


def _cancel(tx: Tx, row: Row) -> None:
    end(tx, row, JobState.CANCELLED, Problem("cancelled", f"cancelled by {row['cancel_by'] or 'norn'}"))


def _expire(tx: Tx, row: Row) -> None:
    waited = (row["deadline"] - row["created_at"]).total_seconds()
    sentence, hint = f"waited {waited:.0f} s, and no worker was free to begin it", "norn worker list"
    if row["id"] in memory.waiting(tx, [row["id"]]):
        sentence, hint = f"waited {waited:.0f} s, and its engine had no memory free for it", "norn health"
    end(tx, row, JobState.EXPIRED, Problem("expired", sentence, hint))


def _engine_gone(tx: Tx, row: Row) -> None:
    sentence = f"no worker has spoken for the engine that holds its image for {ENGINE_SILENCE:.0f} s"
    end(tx, row, JobState.ERROR, Problem("engine_gone", sentence, "norn worker list"))


def _die(tx: Tx, row: Row) -> None:
    sentence = f"{row['claims']} workers took it and none ended it"
    end(tx, row, JobState.DEAD, Problem("dead", sentence, f"norn jobs logs {row['id']}"))


def _rescue(tx: Tx, row: Row) -> None:
    """Its owner has gone silent: queue it again, or say that it is lost where it may not run again."""
    kind = JobKind(row["kind"])
    if row["cancel_requested_at"] is not None and row["begun_at"] is None:
        _cancel(tx, row)
    elif kind is JobKind.DEPLOY and _newer_waits(tx, row):
        end(tx, row, JobState.SUPERSEDED, Problem("superseded", "its worker died, and a newer deploy waits"))
    elif row["begun_at"] is None or not kind.takes_slot:
        _requeue(tx, row, adopt=False)
    elif row["sync"]:
        _lose(tx, row)
    elif row["container"] is not None:
        _requeue(tx, row, adopt=True)
    elif row["runs"] < row["max_runs"]:
        _requeue(tx, row, adopt=False)
    else:
        _lose(tx, row)


def _newer_waits(tx: Tx, row: Row) -> bool:
    newer = text("SELECT 1 FROM jobs WHERE app = :app AND kind = 'deploy' AND state = 'queued' AND id > :id LIMIT 1")
    return tx.execute(newer, {"app": row["app"], "id": row["id"]}).one_or_none() is not None


def _requeue(tx: Tx, row: Row, *, adopt: bool) -> None:
    """A slot stays with a job whose container may still run, so that the cap holds; else it is given back."""
    if row["container"] is None:
        slots.put_back(tx, row["id"])
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(state="queued", lease_until=None, adopt=adopt))
    tell(tx, EventKind.JOB_REQUEUED, app=row["app"], job=row["id"], worker=row["lease_owner"], adopt=adopt)


def _lose(tx: Tx, row: Row) -> None:
    sentence = f"worker {row['lease_owner']} died while the code ran; whether it ended is not known"
    end(tx, row, JobState.ERROR, Problem("worker_lost", sentence, "call it again if that is safe"))


@dataclass(frozen=True)
class Waiting:
    """Ready work of a class: how many jobs could start, and since when the oldest waits (seconds)."""

    job_class: JobClass
    ready: int
    oldest: float


_WAITING = text(f"""
SELECT c.class, count(*) AS ready,
       extract(epoch FROM clock_timestamp() - min(greatest(c.created_at, c.run_after)))::float8 AS oldest
  FROM jobs c {memory.ROOM}
 WHERE c.state = 'queued' AND c.run_after <= clock_timestamp() AND (c.cancel_requested_at IS NULL OR c.adopt)
   AND {memory.FITS}
   AND (CAST(:places AS text[]) IS NULL OR c.engine IS NULL OR c.engine = ANY(CAST(:places AS text[])))
   AND (CASE WHEN c.class IN ('invoke', 'cron') THEN {slots.HAS_ONE}
        ELSE NOT (c.exclusive AND EXISTS (SELECT 1 FROM jobs o
          WHERE o.app = c.app AND o.exclusive AND o.id < c.id AND o.state IN ('queued', 'running'))) END)
 GROUP BY c.class""")  # noqa: S608 - built from constants


def waiting(tx: Tx, places: list[str] | None = None) -> list[Waiting]:
    """Answers the ready work of each class that has some; with `places` only what a worker there could take."""
    rows = tx.execute(_WAITING, {"places": places}).mappings()
    return [Waiting(JobClass(row["class"]), row["ready"], row["oldest"]) for row in rows]
