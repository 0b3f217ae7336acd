"""The sweeper: moves every job that is stuck (docs/reliability.md has the table).

Apart from the worker of a job, only the sweeper puts a running job back into the queue. The sweeper is SQL over the
ledger; every scheduler runs it every few seconds. Rows are locked with SKIP LOCKED, so any number of sweepers may run
at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text, update

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState, Problem
from norn_tasks.domain.jobs.placement import ENGINE, HOME
from norn_tasks.store.database.session import Database, Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import attention, slots, wanted_ends
from norn_tasks.store.queue.endings import end
from norn_tasks.store.tables import JobRow

BATCH, BATCHES = 200, 25
"""The most rows that one transaction moves, and the most transactions of one sweep for one kind of problem."""
ENGINE_SILENCE = 120.0
"""A job that is pinned to an engine is ended when no worker has reported the engine for this number of seconds."""


@dataclass(frozen=True)
class Swept:
    """The result of one sweep: the number of changed rows, the classes with new work, the executions that ended."""

    moved: int
    classes: frozenset[JobClass]
    executions: tuple[int, ...]


_CANCELLED = "state = 'queued' AND cancel_requested_at IS NOT NULL AND NOT (adopt AND container IS NOT NULL)"
_EXPIRED = """state = 'queued' AND deadline < clock_timestamp()
    AND (begun_at IS NULL OR container IS NULL AND NOT adopt)"""
_DEAD = "state = 'queued' AND claims >= :max_claims"
_ENGINE_GONE = f"""state = 'queued' AND (engine <> '{HOME}' OR container_engine IS NOT NULL)
    AND NOT (kind = 'cron-run' AND begun_at IS NULL AND container IS NULL)
    AND created_at < clock_timestamp() - interval '{ENGINE_SILENCE:g} s'
    AND EXISTS (
      SELECT 1 FROM unnest(requires) r(capability) WHERE starts_with(r.capability, '{ENGINE}')
         AND NOT EXISTS (SELECT 1 FROM engines e WHERE '{ENGINE}' || e.id = r.capability
                          AND e.seen_at > clock_timestamp() - interval '{ENGINE_SILENCE:g} s')
         AND NOT EXISTS (SELECT 1 FROM workers w, unnest(array_append(w.engines, w.engine)) known(id)
                          WHERE '{ENGINE}' || known.id = r.capability
                            AND w.seen_at > clock_timestamp() - interval '{ENGINE_SILENCE:g} s'))
    AND coalesce((SELECT min(b.started_at) FROM beats b WHERE b.seen_at > clock_timestamp() - interval '15 s')
                 < clock_timestamp() - interval '{ENGINE_SILENCE:g} s', true)"""  # noqa: S608
"""The condition for queued jobs that require a silent engine. An engine counts as silent only after a scheduler has run
for ENGINE_SILENCE, because after an outage of Norn, workers report a moment after the scheduler starts. A cron run that
has not begun keeps waiting: it has a deadline of its own, and uses the engine of the next release.
"""
_LOST = "state = 'running' AND lease_until < clock_timestamp()"


def sweep(database: Database, *, max_claims: int) -> Swept:
    """Moves everything that is stuck, with a transaction for each kind of problem."""
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


def expire_overdue(tx: Tx, job: int) -> None:
    """Ends a waiting job after its deadline; a job that a worker has, or is just taking, does not change."""
    for row in _locked(tx, f"id = {job:d} AND {_EXPIRED}", 0):
        _expire(tx, row)


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


_NO_MEMORY = "norn health; resources.memory of replicas, NORN_ENGINE_MEMORY and NORN_BUILD_MEMORY decide what is free"


def _expire(tx: Tx, row: Row) -> None:
    missing, hint = "no worker was free to begin it", "norn worker list"
    if row["id"] in memory.waiting(tx, [row["id"]]):
        missing, hint = "its engine had no memory free for it", _NO_MEMORY
    end(tx, row, JobState.EXPIRED, Problem("expired", wanted_ends.not_begun(row, missing), hint))


def _engine_gone(tx: Tx, row: Row) -> None:
    sentence = f"no worker has reported the engine with its image for {ENGINE_SILENCE:.0f} s"
    end(tx, row, JobState.ERROR, Problem("engine_gone", sentence, "norn worker list"))


def _die(tx: Tx, row: Row) -> None:
    sentence = f"{row['claims']} workers took it, and each of them died before it ended"
    end(tx, row, JobState.DEAD, Problem("dead", sentence, f"norn jobs logs {row['id']}"))


def _rescue(tx: Tx, row: Row) -> None:
    """Puts a job whose worker is silent back into the queue, or ends it if it may not run again."""
    kind = JobKind(row["kind"])
    if attention.open_step(tx, row) is not None:
        end(tx, row, attention.UNKNOWN_END)
    elif row["cancel_requested_at"] is not None and row["begun_at"] is None:
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
    """Queues a job again; it keeps its slot while its container may still run, so that the app's limit holds."""
    if row["container"] is None:
        slots.put_back(tx, row["id"])
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(state="queued", lease_until=None, adopt=adopt))
    publish(tx, EventKind.JOB_REQUEUED, app=row["app"], job=row["id"], worker=row["lease_owner"], adopt=adopt)


def _lose(tx: Tx, row: Row) -> None:
    sentence = f"worker {row['lease_owner']} died while the code ran; whether the code ended is not known"
    end(tx, row, JobState.ERROR, Problem("worker_lost", sentence, "run it again if that is safe"))
