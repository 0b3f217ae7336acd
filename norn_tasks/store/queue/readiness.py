"""Reads which queued jobs could begin now, as far as rows show that, and how long the queues are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import builds
from norn_tasks.store.rules import ready, shares


@dataclass(frozen=True)
class ReadyWork:
    """Ready work of a class."""

    job_class: JobClass
    """The class."""
    ready: int
    """How many jobs could start."""
    oldest: float
    """For how many seconds the oldest of them has waited."""


@dataclass(frozen=True)
class QueueDepth:
    """The due jobs of a class, including those that wait for a slot, for memory or for earlier changes of their app."""

    depth: int
    """How many there are."""
    oldest_seconds: float
    """For how many seconds the oldest of them has waited."""


_STARTABLE = text(f"""
WITH {shares.FULL}
SELECT c.class, count(*) AS ready, {ready.WAITED_SECONDS} AS oldest FROM jobs c {memory.ROOM}
 WHERE {ready.DUE_OR_KEPT} AND {memory.FITS} AND NOT ({ready.NEEDS_SLOT})
   AND NOT {ready.IS_BEHIND} AND NOT {builds.is_taken("room.engine")} AND NOT {shares.IS_FULL}
   AND (CAST(:capabilities AS text[]) IS NULL OR c.requires <@ CAST(:capabilities AS text[]))
 GROUP BY c.class""")  # noqa: S608 - built from constants
_ANY_DUE = text(f"SELECT EXISTS (SELECT FROM jobs c WHERE {ready.DUE_OR_KEPT})")  # noqa: S608 - built from constants
"""Checked first, because an idle queue is polled every second, and planning the full query takes ten times as long."""
_DEPTHS = text(f"""
SELECT c.class, count(*) AS depth, {ready.WAITED_SECONDS} AS oldest FROM jobs c WHERE {ready.DUE}
 GROUP BY c.class""")  # noqa: S608 - built from constants


def startable(tx: Tx, capabilities: Collection[str] | None = None) -> list[ReadyWork]:
    """Returns the ready work of each class that has some; with `capabilities`, only work that a worker with these
    capabilities can do.
    """
    if not tx.scalar(_ANY_DUE):
        return []
    can = None if capabilities is None else sorted(capabilities)
    rows = tx.execute(_STARTABLE, {"capabilities": can}).mappings()
    return [ReadyWork(JobClass(row["class"]), row["ready"], row["oldest"]) for row in rows]


def depths(tx: Tx) -> dict[str, QueueDepth]:
    """Returns the queue of each class that has due jobs."""
    rows = tx.execute(_DEPTHS).mappings()
    return {row["class"]: QueueDepth(row["depth"], round(max(0.0, row["oldest"]), 3)) for row in rows}
