"""Observations: one status row per app, and the containers on the engine that no longer have an owner."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.facts import Fact, OrphanedContainers, RequestedRepairs
from norn_tasks.domain.jobs.job import JobState
from norn_tasks.domain.jobs.writes import ContainersSeen, WorkloadSeen
from norn_tasks.store.alerts import app_rules
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.queue import slots
from norn_tasks.store.replicas import health, repairs
from norn_tasks.store.replicas.usage import compared
from norn_tasks.store.tables import (
    AppRow,
    CronExecutionRow,
    FunctionExecutionRow,
    JobRow,
    OneOffRow,
    ReplicaRow,
    WorkloadRow,
)

NEW_CONTAINER = 60.0
"""A container that is younger than this many seconds may have no row yet, because it is created before it is
recorded.
"""


def workload_seen(tx: Tx, row: Row, write: WorkloadSeen) -> tuple[Fact, ...]:
    """Stores the statuses of the cluster's apps and publishes each change; a complete observation also requests
    repairs.

    The statuses of apps of other clusters do not change. An app that could not be observed keeps its status, with the
    reason as its message. An app that was observed again after this observation had begun keeps the newer status.
    """
    newer = _observed_since(tx, row) if write.complete else frozenset()
    known = set(tx.scalars(select(AppRow.name).where(AppRow.cluster == write.cluster))) - newer
    statuses = [status for status in write.statuses if status.app in known]
    seen = {status.app: status for status in statuses if not status.unseen}
    unseen = {status.app: status.unseen for status in statuses if status.unseen}
    if write.complete:
        for name, app in repairs.stable_apps(tx, write.cluster, write.engine).items():
            if name not in unseen and name not in newer:
                seen[name] = repairs.measured_against_wanted(name, app, seen.get(name))
        elsewhere = select(AppRow.name).where(AppRow.cluster != write.cluster)
        tx.execute(
            delete(WorkloadRow).where(
                WorkloadRow.app.not_in({*seen, *unseen, *newer}), WorkloadRow.app.not_in(elsewhere)
            )
        )
    for status in seen.values():
        _keep(tx, status)
    health.record(tx, seen.values())
    app_rules.raise_unhealthy(tx)
    for name, why in unseen.items():
        message = f"it could not be observed: {why}"
        tx.execute(update(WorkloadRow).where(WorkloadRow.app == name).values(message=message))
    asked = repairs.request_repairs(tx, row, write, seen) if write.complete else []
    return (RequestedRepairs(tuple(asked)),) if asked else ()


def _observed_since(tx: Tx, look: Row) -> frozenset[str]:
    """Returns the apps whose status was written after this observation had begun, for example by the end of a deploy.

    A complete observation can take seconds, so its findings about these apps may be from before the deploy.
    """
    begun = look.get("first_claimed_at")
    return frozenset(tx.scalars(select(WorkloadRow.app).where(WorkloadRow.seen_at > begun))) if begun else frozenset()


def _keep(tx: Tx, status: WorkloadStatus) -> None:
    before = tx.execute(select(WorkloadRow).where(WorkloadRow.app == status.app)).one_or_none()
    values = {
        "wanted": status.wanted,
        "ready": status.ready,
        "replicas": [asdict(each) for each in compared(status.replicas, before.replicas if before else ())],
        "message": status.message,
        "seen_at": text("clock_timestamp()"),
    }
    upsert = insert(WorkloadRow).values(app=status.app, **values)
    tx.execute(upsert.on_conflict_do_update(index_elements=["app"], set_=values))
    if before is None or (before.ready, before.wanted) != (status.ready, status.wanted):
        publish(tx, EventKind.WORKLOAD_CHANGED, app=status.app, ready=status.ready, wanted=status.wanted)


def containers_seen(tx: Tx, _row: Row, write: ContainersSeen) -> tuple[Fact, ...]:
    """Returns the orphaned containers: those whose job has ended, or whose replica has no row.

    Frees the slots that were kept for containers that might still run, once their engine no longer has them.
    """
    orphaned: list[tuple[str, str]] = []
    for look in write.looks:
        slots.release_unseen(tx, look.engine, [container for container, _, _ in look.containers])
        orphaned += [(look.engine, each) for each, owner, age in look.containers if not _owned(tx, each, owner, age)]
    return (OrphanedContainers(tuple(orphaned)),)


def _owned(tx: Tx, container: str, owner: str, age: float) -> bool:
    kind, _, name = owner.partition(":")
    if kind == "execution":
        return _execution_lives(tx, name)
    if kind == "release":
        recorded = tx.scalar(select(ReplicaRow.container).where(ReplicaRow.container == container))
        return recorded is not None or age < NEW_CONTAINER
    return True


def _execution_lives(tx: Tx, name: str) -> bool:
    """Returns False if the job of a container's owner has ended. `name` is the id of an execution, or `t` and the id of
    a job whose container is not an execution, such as a test.

    An owner without a row belongs to another database, and counts as not ended.
    """
    if name.startswith("t") and name[1:].isdigit():
        state = tx.scalar(select(JobRow.state).where(JobRow.id == int(name[1:])))
        return state is None or not JobState(state).terminal
    if not name.isdigit():
        return True
    for table in (FunctionExecutionRow, CronExecutionRow, OneOffRow):
        job = tx.scalar(select(JobRow.state).join(table, table.job_id == JobRow.id).where(table.id == int(name)))
        if job is not None:
            return not JobState(job).terminal
    return True
