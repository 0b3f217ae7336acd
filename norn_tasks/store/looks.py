"""What the observe loop saw: one status row per app, and which containers on the engine have no owner any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobState
from norn_tasks.domain.writes import ContainersSeen, WorkloadSeen
from norn_tasks.store import repairs, slots
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, CronExecution, FuncExecution, JobRow, OneOff, ReplicaRow, WorkloadRow

NEW_CONTAINER = 60.0
"""Seconds in which a container may not have its row yet: it is created first and recorded next."""


def workload_seen(tx: Tx, row: Row, write: WorkloadSeen) -> Mapping[str, Any]:
    """Keeps the statuses, and tells of each whose ready or wanted changed; a complete look learns `repairs`."""
    known = {row.name for row in tx.execute(select(App.name))}
    seen = {status.app: status for status in write.statuses if status.app in known}
    if write.complete:
        for name, app in repairs.settled(tx, write.engine).items():
            seen[name] = repairs.truly(name, app, seen.get(name))
        tx.execute(delete(WorkloadRow).where(WorkloadRow.app.not_in(seen)))
    for status in seen.values():
        _keep(tx, status)
    asked = repairs.request_repairs(tx, row, write.engine, seen) if write.complete else []
    return {"repairs": asked} if asked else {}


def _keep(tx: Tx, status: WorkloadStatus) -> None:
    before = tx.execute(select(WorkloadRow).where(WorkloadRow.app == status.app)).one_or_none()
    values = {
        "wanted": status.wanted,
        "ready": status.ready,
        "replicas": [asdict(replica) for replica in status.replicas],
        "message": status.message,
        "seen_at": text("clock_timestamp()"),
    }
    upsert = insert(WorkloadRow).values(app=status.app, **values)
    tx.execute(upsert.on_conflict_do_update(index_elements=["app"], set_=values))
    if before is None or (before.ready, before.wanted) != (status.ready, status.wanted):
        tell(tx, EventKind.WORKLOAD_CHANGED, app=status.app, ready=status.ready, wanted=status.wanted)


def containers_seen(tx: Tx, _row: Row, write: ContainersSeen) -> Mapping[str, Any]:
    """Learns `orphans`: containers whose execution is terminal, or whose replica has no row.

    Slots that were kept for containers which may still run are free once those are not there any more.
    """
    slots.release_unseen(tx, write.engine, [container for container, _, _ in write.containers])
    orphans = [container for container, owner, age in write.containers if not _owned(tx, container, owner, age)]
    return {"orphans": orphans}


def _owned(tx: Tx, container: str, owner: str, age: float) -> bool:
    kind, _, name = owner.partition(":")
    if kind == "execution":
        return _execution_lives(tx, name)
    if kind == "release":
        recorded = tx.scalar(select(ReplicaRow.container).where(ReplicaRow.container == container))
        return recorded is not None or age < NEW_CONTAINER
    return True


def _execution_lives(tx: Tx, name: str) -> bool:
    """`<id>` is an execution's, `t<id>` the test of a job. An id that no row has belongs to another database: kept."""
    if name.startswith("t") and name[1:].isdigit():
        state = tx.scalar(select(JobRow.state).where(JobRow.id == int(name[1:])))
        return state is None or not JobState(state).terminal
    if not name.isdigit():
        return True
    for table in (FuncExecution, CronExecution, OneOff):
        job = tx.scalar(select(JobRow.state).join(table, table.job_id == JobRow.id).where(table.id == int(name)))
        if job is not None:
            return not JobState(job).terminal
    return True
