"""Carries out the changes that a step returned: one function here for each `Write` of the domain.

All of them run in the transaction that ends the step. A function returns further facts, which later steps of the job
can read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import update

from norn_tasks.domain.infraspec import from_json
from norn_tasks.domain.jobs import writes
from norn_tasks.domain.jobs.facts import Fact
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.store.access import team_keys
from norn_tasks.store.alerts import cron_rules, dead_man, deliveries
from norn_tasks.store.apps import clusters, external_hosts, internal_names, pushes, services
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import runs_reach
from norn_tasks.store.queue import endings, slots
from norn_tasks.store.releases import go_live
from norn_tasks.store.replicas import drifts, observations
from norn_tasks.store.runs import finishing
from norn_tasks.store.tables import AppRow, DeploymentRow, JobRow, ReleaseRow

Learned = tuple[Fact, ...]
_NOTHING: Learned = ()


def record(tx: Tx, row: Row, learned: tuple[writes.Write, ...]) -> Learned:
    """Carries out these writes for the job of `row`, and returns the further facts that they produced."""
    return tuple(fact for write in learned for fact in _RECORDERS[type(write)](tx, row, write))


def _spec_learned(tx: Tx, row: Row, write: writes.SpecLearned) -> Learned:
    spec = dict(write.spec)
    internal_names.take(tx, from_json(spec))
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(spec=spec))
    tx.execute(update(DeploymentRow).where(DeploymentRow.id == row["deployment"]).values(revision=write.revision))
    tx.execute(_release(row).values(spec=spec, revision=write.revision))
    return _NOTHING


def _release(row: Row) -> Any:
    return update(ReleaseRow).where(ReleaseRow.app == row["app"], ReleaseRow.n == row["release"])


def _image_built(tx: Tx, row: Row, write: writes.ImageBuilt) -> Learned:
    tx.execute(
        _release(row).values(
            image=write.image, image_id=write.image_id, engine=write.engine, key=write.key, stages=list(write.stages)
        )
    )
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(engine=write.engine))
    return _NOTHING


def _image_published(tx: Tx, row: Row, write: writes.ImagePublished) -> Learned:
    tx.execute(_release(row).values(published=write.reference, engine=write.place))
    return _NOTHING


def _push_decided(tx: Tx, row: Row, write: writes.PushDecided) -> Learned:
    pushes.decided(tx, row["id"], write.outcome)
    return _NOTHING


def _branch_seen(tx: Tx, _row: Row, write: writes.BranchSeen) -> Learned:
    pushes.branch_seen(tx, write)
    return _NOTHING


def _team_keys_seen(tx: Tx, _row: Row, write: writes.TeamKeysSeen) -> Learned:
    team_keys.seen(tx, write)
    return _NOTHING


def _app_exposed(tx: Tx, _row: Row, write: writes.AppExposed) -> Learned:
    tx.execute(update(AppRow).where(AppRow.name == write.app).values(address=write.address))
    return _NOTHING


def _app_moved(tx: Tx, row: Row, write: writes.AppMoved) -> Learned:
    clusters.moved(tx, row, write)
    return _NOTHING


def _app_unexposed(tx: Tx, _row: Row, write: writes.AppUnexposed) -> Learned:
    tx.execute(update(AppRow).where(AppRow.name == write.app).values(address=None))
    return _NOTHING


def _schedule_registered(tx: Tx, row: Row, write: writes.ScheduleRegistered) -> Learned:
    schedules.register(
        tx, write.app, write.schedule, write.timezone, write.concurrent, write.policy, actor=row["actor"]
    )
    slots.resize(tx, JobClass.CRON, write.app, write.concurrent)
    return _NOTHING


def _schedule_removed(tx: Tx, row: Row, write: writes.ScheduleRemoved) -> Learned:
    schedules.remove(tx, write.app, actor=row["actor"])
    slots.resize(tx, JobClass.CRON, write.app, 0)
    return _NOTHING


def _function_registered(tx: Tx, _row: Row, write: writes.FunctionRegistered) -> Learned:
    slots.resize(tx, JobClass.INVOKE, write.app, write.concurrent)
    return _NOTHING


def _function_removed(tx: Tx, _row: Row, write: writes.FunctionRemoved) -> Learned:
    endings.cancel_waiting(tx, write.app, JobKind.INVOKE)
    slots.resize(tx, JobClass.INVOKE, write.app, 0)
    return _NOTHING


def _database_migrated(tx: Tx, row: Row, _write: writes.DatabaseMigrated) -> Learned:
    tx.execute(_release(row).values(migrated_at=NOW))
    return _NOTHING


def _images_pruned(tx: Tx, _row: Row, write: writes.ImagesPruned) -> Learned:
    tx.execute(
        update(ReleaseRow)
        .where(ReleaseRow.app == write.app, ReleaseRow.image_id.in_(write.image_ids))
        .values(pruned_at=NOW)
    )
    return _NOTHING


def _images_seen(tx: Tx, _row: Row, write: writes.ImagesSeen) -> Learned:
    cron_rules.images_seen(tx, write)
    return _NOTHING


def _delivery_tried(tx: Tx, _row: Row, write: writes.DeliveryTried) -> Learned:
    deliveries.tried(tx, write)
    return _NOTHING


def _deadman_called(tx: Tx, _row: Row, write: writes.DeadManCalled) -> Learned:
    dead_man.called(tx, write)
    return _NOTHING


def _tunnel_seen(tx: Tx, _row: Row, write: writes.TunnelSeen) -> Learned:
    external_hosts.seen(tx, write)
    return _NOTHING


def _edge_seen(tx: Tx, _row: Row, write: writes.EdgeSeen) -> Learned:
    external_hosts.edge_seen(tx, write)
    return _NOTHING


def _databases_seen(tx: Tx, _row: Row, write: writes.DatabasesSeen) -> Learned:
    services.seen(tx, write.databases)
    return _NOTHING


_RECORDERS: dict[type, Callable[[Tx, Row, Any], Learned]] = {
    writes.SpecLearned: _spec_learned,
    writes.ImageBuilt: _image_built,
    writes.ImagePublished: _image_published,
    writes.PushDecided: _push_decided,
    writes.BranchSeen: _branch_seen,
    writes.TeamKeysSeen: _team_keys_seen,
    writes.AppExposed: _app_exposed,
    writes.AppMoved: _app_moved,
    writes.AppUnexposed: _app_unexposed,
    writes.ScheduleRegistered: _schedule_registered,
    writes.ScheduleRemoved: _schedule_removed,
    writes.FunctionRegistered: _function_registered,
    writes.FunctionRemoved: _function_removed,
    writes.ReleaseLive: go_live.release_live,
    writes.DatabaseMigrated: _database_migrated,
    writes.TornDown: go_live.torn_down,
    writes.WorkloadSeen: observations.workload_seen,
    writes.DriftSeen: drifts.seen,
    writes.ContainersSeen: observations.containers_seen,
    writes.RunsReachSeen: runs_reach.seen,
    writes.ImagesPruned: _images_pruned,
    writes.ExecutionFinished: finishing.execution_finished,
    writes.ImagesSeen: _images_seen,
    writes.DeliveryTried: _delivery_tried,
    writes.DeadManCalled: _deadman_called,
    writes.TunnelSeen: _tunnel_seen,
    writes.EdgeSeen: _edge_seen,
    writes.DatabasesSeen: _databases_seen,
}
