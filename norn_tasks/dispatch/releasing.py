"""Requests that change an app's containers: forge, deploy, rollback, restart, scale, teardown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from norn_tasks.dispatch.intake import (
    Accepted,
    Intake,
    accept,
    found_app,
    new_job,
    registered_app,
    require_role,
)
from norn_tasks.dispatch.moving import move_from
from norn_tasks.dispatch.opening import may_open, require_may_open
from norn_tasks.dispatch.sourcing import frozen_source
from norn_tasks.domain.disk import Least
from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.host_paths import require_allowed
from norn_tasks.domain.infraspec import LONG_RUNNING, Infraspec, Role, RuntimeName
from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.placement import place_of
from norn_tasks.domain.jobs.requests import (
    DeployJobRequest,
    ForgeJobRequest,
    JobRequest,
    RestartJobRequest,
    RollbackJobRequest,
    ScaleJobRequest,
    TeardownJobRequest,
)
from norn_tasks.domain.quantities import memory_text
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.apps import clusters, enrolment, external_hosts, internal_names, registry, scale
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import disk, memory, workers
from norn_tasks.store.queue import attention, endings, jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.releases import releases
from norn_tasks.store.releases.deploying import accept_deployment

MAX_REPLICAS = 100
"""The largest number to which an app can be scaled."""


def request_forge(
    intake: Intake,
    app: str,
    *,
    force: bool,
    actor: str,
    cluster: str | None = None,
    admin: bool = False,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Accepts a forge of the app; with `force`, the app is torn down first and its deploys are superseded.

    `cluster`: where the app is to run; if the app runs on Docker and this names Kubernetes, the app moves. `admin`: the
    sender is an admin, and so may let anyone call a function.
    """

    def write(tx: Tx) -> Accepted:
        found, row = found_app(intake, tx, app)
        attention.require_none(tx, app)
        _allow(intake, tx, found, row)
        require_may_open(tx, found.spec, admin=admin)
        if force:
            endings.supersede(tx, app, "a forced forge came after it", also_running=True, actor=actor)
        internal_names.take(tx, found.spec)
        external_hosts.take(tx, found.spec)
        chosen = cluster or intake.settings.cluster_of_new_apps
        settled = clusters.settle(tx, row, found.spec.role, chosen)
        left = move_from(tx, row, found.spec, settled, cluster, force=force)
        if settled != row["cluster"]:
            _require_cluster(intake, tx, settled)
        request = ForgeJobRequest(scale.override_of(row), force, move_from=left)
        new = _of_spec(intake, request, found, settled, actor)
        # A move needs both the engine that the app leaves and the cluster to which it goes.
        return Accepted(jobs.accept(tx, replace(new, cluster=cluster) if left is not None else new))

    return accept(intake, JobClass.DEPLOY, key, write)


def _require_cluster(intake: Intake, tx: Tx, cluster: str | None) -> None:
    """Raises Conflict if NORN_CLUSTER names a cluster that no worker has."""
    if cluster is not None and intake.settings.cluster != "auto" and not workers.has_cluster(tx, cluster):
        raise Conflict(
            f"no worker has the cluster {cluster}, which NORN_CLUSTER names",
            hint="correct NORN_CLUSTER or unset it; norn worker list shows the workers",
        )


def request_deploy(
    intake: Intake,
    app: str,
    *,
    ref: str | None = None,
    revision: str | None = None,
    actor: str,
    admin: bool = False,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Accepts a deploy from the app's source: `ref` of a repository, `revision` of an upload.

    A deploy that is still queued is superseded. `admin`: the sender is an admin, and so may let anyone call a function.
    """

    def write(tx: Tx) -> Accepted:
        found, row = found_app(intake, tx, app)
        attention.require_none(tx, app)
        _allow(intake, tx, found, row)
        require_may_open(tx, found.spec, admin=admin)
        source = frozen_source(tx, found, ref, revision)
        enrolment.require_forged(tx, row)
        disk.require_room_to_build(tx, Least(intake.settings.disk_build_free, intake.settings.disk_build_percent))
        endings.supersede(tx, app, "a newer deploy came after it", also_running=False, actor=actor)
        internal_names.take(tx, found.spec)
        request = DeployJobRequest(source, scale.override_of(row), may_open(tx, app, admin=admin))
        new = _of_spec(intake, request, found, row["cluster"], actor)
        made = accept_deployment(tx, new, DeploymentKind.DEPLOY, ref=source.ref)
        return Accepted(made.job, made.deployment)

    return accept(intake, JobClass.DEPLOY, key, write)


def _of_spec(intake: Intake, request: JobRequest, found: registry.FoundApp, cluster: str | None, actor: str) -> NewJob:
    spec, apart = found.spec, intake.settings.place_of_cluster(cluster) is None
    place = place_of(spec, apart=apart)
    return new_job(intake, request, found.name, actor, spec=spec.frozen(), engine=place, cluster=cluster)


def _allow(intake: Intake, tx: Tx, found: registry.FoundApp, app: Row) -> None:
    """Raises InvalidRequest for a host directory that the spec may not mount, and for memory that no engine has.

    Kubernetes checks the memory itself, during the rollout. Raises Conflict for a runtime that no worker has.
    """
    _require_runtime(intake, tx, found.spec)
    cluster = app["cluster"] or intake.settings.cluster_of_new_apps
    if not found.spec.role.long_running or intake.settings.place_of_cluster(cluster) is not None:
        _require_memory(tx, found.spec, scale.wanted_of(app, found.spec.replicas))
    for volume in found.spec.volumes:
        if volume.host_path is not None:
            require_allowed(volume, Path(volume.host_path), intake.settings.host_paths)


def _require_runtime(intake: Intake, tx: Tx, spec: Infraspec) -> None:
    """Raises Conflict for `runtime: incus` if there is no Incus, or if the app uses services that only Docker's
    networks reach.
    """
    if spec.runtime is not RuntimeName.INCUS:
        return
    missing = intake.settings.servers_of_norn_up(grant.kind for grant in spec.services.grants())
    if missing:
        variables = " and ".join(f"NORN_SERVICES_{kind.upper()}_URL" for kind in missing)
        raise Conflict(
            f"{spec.app} has services and runtime: incus, and runs in Incus do not reach the servers of norn up",
            hint=f"write runtime: docker, or set {variables} to a server of your own",
        )
    if not intake.settings.incus_socket and not workers.has_runtime(tx, spec.runtime):
        raise Conflict(
            f"{spec.app} has runtime: incus, and no worker of this server has an Incus",
            hint="set NORN_INCUS_SOCKET where one runs (docs/incus.md), or write runtime: docker",
        )


def _require_memory(tx: Tx, spec: Infraspec, replicas: int) -> None:
    """Raises InvalidRequest if no engine has enough memory. A rollout briefly needs one replica more than wanted."""
    field, each = ("resources.memory", spec.resources.memory or 0)
    if spec.role is Role.FUNCTION:
        field, each = "function.memory", spec.function.memory
    at_once = replicas + 1 if spec.role.long_running else 1
    most = memory.largest(tx)
    if each * at_once > most:
        times = f" for each of {at_once} replicas (a rollout briefly needs one more)" if at_once > 1 else ""
        raise InvalidRequest(
            f"{field}: {spec.app} asks for {memory_text(each)}{times}, and the largest engine has {most // 2**20}m",
            hint=f"lower {field}, or raise NORN_ENGINE_MEMORY where the workers run",
        )


def request_rollback(
    intake: Intake, app: str, *, release: int | None, actor: str, admin: bool = False, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a rollback to an earlier release; the app's deploys are superseded.

    `admin`: the sender is an admin, and so may let anyone call a function.
    """

    def write(tx: Tx) -> Accepted:
        _, row = registered_app(intake, tx, app)
        target = releases.rollback_target(tx, app, release)
        require_may_open(tx, registry.spec_of(target["spec"]), admin=admin)
        endings.supersede(tx, app, "a rollback came after it", also_running=True, actor=actor)
        internal_names.take(tx, registry.spec_of(target["spec"]))
        request = RollbackJobRequest(target["image_id"], scale.override_of(row))
        new = _of_release(intake, request, target, row, actor)
        made = accept_deployment(tx, new, DeploymentKind.ROLLBACK, revision=target["revision"])
        return Accepted(made.job, made.deployment)

    return accept(intake, JobClass.DEPLOY, key, write)


def _of_release(intake: Intake, request: JobRequest, release: Row, app: Row, actor: str) -> NewJob:
    return new_job(
        intake, request, release["app"], actor, spec=release["spec"], engine=release["engine"],
        cluster=app["cluster"], release=release["n"],
    )  # fmt: skip


def request_restart(
    intake: Intake, app: str, *, now: bool = False, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a restart: new containers of the live release, one after the other; with `now`, no old one drains."""

    def write(tx: Tx) -> Accepted:
        found, row = registered_app(intake, tx, app)
        require_role(found, LONG_RUNNING, "it has no running replicas to restart")
        live = releases.require_live(tx, app)
        request = RestartJobRequest(live["image_id"], scale.override_of(row), now=now or None)
        return Accepted(jobs.accept(tx, _of_release(intake, request, live, row, actor)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_rotation(intake: Intake, app: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Accepts a rotation: new passwords for the services of an app, and a restart that gives them to its replicas.

    Raises Conflict for an app whose live release has no services.
    """

    def write(tx: Tx) -> Accepted:
        _, row = registered_app(intake, tx, app)
        attention.require_none(tx, app)
        live = releases.require_live(tx, app)
        if not registry.spec_of(live["spec"]).services.grants():
            raise Conflict(
                f"{app} has no shared service", hint="services.postgres of its infraspec asks for a database"
            )
        request = RestartJobRequest(live["image_id"], scale.override_of(row), rotate=True)
        return Accepted(jobs.accept(tx, _of_release(intake, request, live, row, actor)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_scale(
    intake: Intake, app: str, *, replicas: int | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a scale to `replicas`, which replaces the spec's number; None restores the spec's number."""
    if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidRequest(f"replicas: {replicas} is not from 0 to {MAX_REPLICAS}", hint=f"norn scale {app} 2")

    def write(tx: Tx) -> Accepted:
        found, row = registered_app(intake, tx, app)
        require_role(found, LONG_RUNNING, "it has no replicas")
        live = releases.require_live(tx, app)
        if replicas is not None and replicas > memory.replicas_of(tx, app):
            _require_memory(tx, registry.spec_of(live["spec"]), replicas)
        override = scale.set_override(tx, app, replicas, live["spec"]["replicas"], actor)
        request = ScaleJobRequest(live["image_id"], override, live["generation"])
        return Accepted(jobs.accept(tx, _of_release(intake, request, live, row, actor)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_reconcile(intake: Intake, app: str, *, actor: str) -> Accepted:
    """Accepts a job that restores missing or changed containers of the live release, and leaves the correct ones
    unchanged.
    """

    def write(tx: Tx) -> Accepted:
        row = enrolment.locked(tx, app)
        live = releases.require_live(tx, app)
        request = ScaleJobRequest(live["image_id"], scale.override_of(row), live["generation"])
        return Accepted(jobs.accept(tx, _of_release(intake, request, live, row, actor)))

    return accept(intake, JobClass.DEPLOY, None, write)


def request_teardown(
    intake: Intake, app: str, *, purge: bool, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a teardown of everything that forge made; the app's deploys are superseded.

    A job of the app that needs attention is abandoned.
    """

    def write(tx: Tx) -> Accepted:
        found, row = registered_app(intake, tx, app)
        endings.supersede(tx, app, "a teardown came after it", also_running=True, actor=actor)
        attention.abandon_all(tx, app, actor)
        new = _of_spec(intake, TeardownJobRequest(purge), found, row["cluster"], actor)
        return Accepted(jobs.accept(tx, new))

    return accept(intake, JobClass.DEPLOY, key, write)
