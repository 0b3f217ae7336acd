"""An app's way into the world and out of it: forge, deploy, rollback, restart, scale, teardown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from norn_tasks.dispatch.intake import (
    LONG_RUNNING,
    Accepted,
    Intake,
    accept,
    found_app,
    new_job,
    require_role,
    standing_app,
)
from norn_tasks.dispatch.sourcing import frozen_source
from norn_tasks.domain.deployment import DeploymentKind
from norn_tasks.domain.disk import Least
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.host_paths import require_allowed
from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.domain.placing import place_of
from norn_tasks.domain.quantities import memory_text
from norn_tasks.store import acceptance, apps, disk, endings, internal_names, jobs, memory, releases
from norn_tasks.store.deploying import accept_deployment
from norn_tasks.store.idempotency import IdempotencyKey
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.session import Row, Tx

MAX_REPLICAS = 100


def request_forge(intake: Intake, app: str, *, force: bool, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Asks for the app's infrastructure; `force` tears down first and supersedes its deploys."""

    def write(tx: Tx) -> Accepted:
        found, row = found_app(intake, tx, app)
        _allow(intake, tx, found)
        if force:
            endings.supersede(tx, app, "a forced forge came after it", also_running=True, actor=actor)
        internal_names.take(tx, found.spec)
        args = {"force": force, "override": acceptance.override_of(row)}
        return Accepted(jobs.accept(tx, _of_spec(intake, JobKind.FORGE, found, actor, args)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_deploy(
    intake: Intake,
    app: str,
    *,
    ref: str | None = None,
    revision: str | None = None,
    actor: str,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Asks for a new release from the app's source: of a repository `ref`, of uploads `revision`.

    A deploy that still waits is superseded.
    """

    def write(tx: Tx) -> Accepted:
        found, row = found_app(intake, tx, app)
        _allow(intake, tx, found)
        source = frozen_source(tx, found, ref, revision)
        acceptance.require_forged(tx, row)
        disk.require_room_to_build(tx, Least(intake.settings.disk_build_free, intake.settings.disk_build_percent))
        endings.supersede(tx, app, "a newer deploy came after it", also_running=False, actor=actor)
        internal_names.take(tx, found.spec)
        args = {**source, "override": acceptance.override_of(row)}
        new = _of_spec(intake, JobKind.DEPLOY, found, actor, args)
        made = accept_deployment(tx, new, DeploymentKind.DEPLOY, ref=source["ref"])
        return Accepted(made.job, made.deployment)

    return accept(intake, JobClass.DEPLOY, key, write)


def _of_spec(intake: Intake, kind: JobKind, found: apps.FoundApp, actor: str, args: dict[str, Any]) -> NewJob:
    spec = found.spec
    return new_job(intake, kind, found.name, actor, spec=spec.to_json(), args=args, engine=place_of(spec))


def _allow(intake: Intake, tx: Tx, found: apps.FoundApp) -> None:
    """Raises InvalidRequest for a directory of the host that its spec may not mount, and for memory that nobody has."""
    _require_memory(tx, found.spec)
    for volume in found.spec.volumes:
        if volume.host_path is not None:
            require_allowed(volume, Path(volume.host_path), intake.settings.host_paths)


def _require_memory(tx: Tx, spec: Infraspec, replicas: int | None = None) -> None:
    """Raises InvalidRequest when the app could never run; a rollout has one replica more than wanted for a moment."""
    field, each = ("resources.memory", spec.resources.memory or 0)
    if spec.role is Role.FUNCTION:
        field, each = "function.memory", spec.function.memory
    at_once = (spec.replicas if replicas is None else replicas) + 1 if spec.role in LONG_RUNNING else 1
    most = memory.largest(tx)
    if each * at_once > most:
        times = f" for each of {at_once} replicas (one more while it rolls)" if at_once > 1 else ""
        raise InvalidRequest(
            f"{field}: {spec.app} asks for {memory_text(each)}{times}, and the largest engine has {most // 2**20}m",
            hint=f"lower {field}, or raise NORN_ENGINE_MEMORY where the workers run",
        )


def request_rollback(
    intake: Intake, app: str, *, release: int | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for an earlier release; the app's deploys give way to it."""

    def write(tx: Tx) -> Accepted:
        _, row = standing_app(intake, tx, app)
        target = releases.rollback_target(tx, app, release)
        endings.supersede(tx, app, "a rollback came after it", also_running=True, actor=actor)
        internal_names.take(tx, apps.spec_of(target["spec"]))
        new = _of_release(intake, JobKind.ROLLBACK, target, row, actor)
        made = accept_deployment(tx, new, DeploymentKind.ROLLBACK, revision=target["revision"])
        return Accepted(made.job, made.deployment)

    return accept(intake, JobClass.DEPLOY, key, write)


def _of_release(intake: Intake, kind: JobKind, release: Row, app: Row, actor: str, **args: Any) -> NewJob:
    frozen = {"image_id": release["image_id"], "override": acceptance.override_of(app), **args}
    return new_job(
        intake, kind, release["app"], actor, spec=release["spec"], engine=release["engine"], release=release["n"],
        args=frozen,
    )  # fmt: skip


def request_restart(intake: Intake, app: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Asks for fresh containers of the live release, one after the other."""

    def write(tx: Tx) -> Accepted:
        found, row = standing_app(intake, tx, app)
        require_role(found, LONG_RUNNING, "there is nothing that stays running to restart")
        live = releases.require_live(tx, app)
        return Accepted(jobs.accept(tx, _of_release(intake, JobKind.RESTART, live, row, actor)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_scale(
    intake: Intake, app: str, *, replicas: int | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for so many replicas, whatever the spec says; None goes back to the spec's number."""
    if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidRequest(f"replicas: {replicas} is not from 0 to {MAX_REPLICAS}", hint=f"norn scale {app} 2")

    def write(tx: Tx) -> Accepted:
        found, row = standing_app(intake, tx, app)
        require_role(found, LONG_RUNNING, "it has no replicas")
        live = releases.require_live(tx, app)
        if replicas is not None and replicas > memory.replicas_of(tx, app):
            _require_memory(tx, apps.spec_of(live["spec"]), replicas)
        override = acceptance.set_override(tx, app, replicas, int(live["spec"].get("replicas", 1)), actor)
        args = {"generation": live["generation"], "override": override}
        return Accepted(jobs.accept(tx, _of_release(intake, JobKind.SCALE, live, row, actor, **args)))

    return accept(intake, JobClass.DEPLOY, key, write)


def request_reconcile(intake: Intake, app: str, *, actor: str) -> Accepted:
    """Asks that the app's containers be those of its live release: nothing changes where they are."""

    def write(tx: Tx) -> Accepted:
        row = acceptance.enrol(tx, app, {}, None)
        live = releases.require_live(tx, app)
        return Accepted(
            jobs.accept(tx, _of_release(intake, JobKind.SCALE, live, row, actor, generation=live["generation"]))
        )

    return accept(intake, JobClass.DEPLOY, None, write)


def request_teardown(
    intake: Intake, app: str, *, purge: bool, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks to remove what forge made; the app's deploys give way to it."""

    def write(tx: Tx) -> Accepted:
        found, _ = standing_app(intake, tx, app)
        endings.supersede(tx, app, "a teardown came after it", also_running=True, actor=actor)
        new = _of_spec(intake, JobKind.TEARDOWN, found, actor, {"purge": purge})
        return Accepted(jobs.accept(tx, new))

    return accept(intake, JobClass.DEPLOY, key, write)
