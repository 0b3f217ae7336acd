"""Writing down what a step learned: each `Write` of the domain has one function here, run in the step's transaction.

A function answers further facts, which later steps of the job then know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import update

from norn_tasks.domain import writes
from norn_tasks.domain.infraspec import from_json
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.store import (
    cron_alerts,
    deadman,
    deliveries,
    endings,
    executions_end,
    internal_names,
    looks,
    rollouts,
    routes,
    schedules,
    slots,
)
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import DeploymentRow, JobRow, Release

Facts = Mapping[str, Any]
_NOTHING: Facts = {}


def record(tx: Tx, row: Row, learned: tuple[writes.Write, ...]) -> dict[str, Any]:
    """Writes everything down for the job of `row`, and answers the facts that came of it."""
    facts: dict[str, Any] = {}
    for write in learned:
        facts.update(_RECORDERS[type(write)](tx, row, write))
    return facts


def _spec_learned(tx: Tx, row: Row, write: writes.SpecLearned) -> Facts:
    spec = dict(write.spec)
    internal_names.take(tx, from_json(spec))
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(spec=spec))
    tx.execute(update(DeploymentRow).where(DeploymentRow.id == row["deployment"]).values(revision=write.revision))
    tx.execute(_release(row).values(spec=spec, revision=write.revision))
    return _NOTHING


def _release(row: Row) -> Any:
    return update(Release).where(Release.app == row["app"], Release.n == row["release"])


def _image_built(tx: Tx, row: Row, write: writes.ImageBuilt) -> Facts:
    tx.execute(
        _release(row).values(
            image=write.image, image_id=write.image_id, engine=write.engine, key=write.key, stages=list(write.stages)
        )
    )
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(engine=write.engine))
    return _NOTHING


def _image_published(tx: Tx, row: Row, write: writes.ImagePublished) -> Facts:
    tx.execute(_release(row).values(published=write.reference, engine=write.place))
    return _NOTHING


def _address_reserved(tx: Tx, _row: Row, write: writes.AddressReserved) -> Facts:
    return {"port": routes.reserve_address(tx, write.app, write.first, write.last)}


def _address_released(tx: Tx, _row: Row, write: writes.AddressReleased) -> Facts:
    routes.release_address(tx, write.app)
    return _NOTHING


def _schedule_registered(tx: Tx, row: Row, write: writes.ScheduleRegistered) -> Facts:
    schedules.register(
        tx, write.app, write.schedule, write.timezone, write.concurrent, write.policy, actor=row["actor"]
    )
    slots.resize(tx, JobClass.CRON, write.app, write.concurrent)
    return _NOTHING


def _schedule_removed(tx: Tx, row: Row, write: writes.ScheduleRemoved) -> Facts:
    schedules.remove(tx, write.app, actor=row["actor"])
    slots.resize(tx, JobClass.CRON, write.app, 0)
    return _NOTHING


def _function_registered(tx: Tx, _row: Row, write: writes.FunctionRegistered) -> Facts:
    slots.resize(tx, JobClass.INVOKE, write.app, write.concurrent)
    return _NOTHING


def _function_removed(tx: Tx, _row: Row, write: writes.FunctionRemoved) -> Facts:
    endings.cancel_waiting(tx, write.app, JobKind.INVOKE)
    slots.resize(tx, JobClass.INVOKE, write.app, 0)
    return _NOTHING


def _images_pruned(tx: Tx, _row: Row, write: writes.ImagesPruned) -> Facts:
    tx.execute(
        update(Release)
        .where(Release.app == write.app, Release.image_id.in_(write.image_ids))
        .values(pruned_at=rollouts.NOW)
    )
    return _NOTHING


def _images_seen(tx: Tx, _row: Row, write: writes.ImagesSeen) -> Facts:
    cron_alerts.images_seen(tx, write)
    return _NOTHING


def _delivery_tried(tx: Tx, _row: Row, write: writes.DeliveryTried) -> Facts:
    deliveries.tried(tx, write)
    return _NOTHING


def _deadman_called(tx: Tx, _row: Row, write: writes.DeadManCalled) -> Facts:
    deadman.called(tx, write)
    return _NOTHING


_RECORDERS: dict[type, Callable[[Tx, Row, Any], Facts]] = {
    writes.SpecLearned: _spec_learned,
    writes.ImageBuilt: _image_built,
    writes.ImagePublished: _image_published,
    writes.AddressReserved: _address_reserved,
    writes.AddressReleased: _address_released,
    writes.ScheduleRegistered: _schedule_registered,
    writes.ScheduleRemoved: _schedule_removed,
    writes.FunctionRegistered: _function_registered,
    writes.FunctionRemoved: _function_removed,
    writes.ReleaseLive: rollouts.release_live,
    writes.TornDown: rollouts.torn_down,
    writes.WorkloadSeen: looks.workload_seen,
    writes.ContainersSeen: looks.containers_seen,
    writes.ImagesPruned: _images_pruned,
    writes.ExecutionFinished: executions_end.execution_finished,
    writes.ImagesSeen: _images_seen,
    writes.DeliveryTried: _delivery_tried,
    writes.DeadManCalled: _deadman_called,
}
