"""Runs of code: calls of a function, cron runs by hand, one-off commands, and the end of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from norn_tasks.dispatch.intake import Accepted, Intake, accept, refuse_without_workers, require_role, standing_app
from norn_tasks.domain import names
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import BodyTooLarge, InvalidRequest, WrongRole
from norn_tasks.domain.infraspec import Infraspec, Role, from_json
from norn_tasks.domain.job import JobClass
from norn_tasks.domain.schedule import Trigger
from norn_tasks.store import acceptance, apps, releases, runs, slots
from norn_tasks.store.idempotency import IdempotencyKey
from norn_tasks.store.session import Row, Tx


def request_cancel(intake: Intake, job: int, *, actor: str) -> None:
    """Cancels a queued job at once, and asks a running one to stop; an ended one stays as it is."""
    with intake.database.transaction() as tx:
        row = acceptance.cancel(tx, job, actor)
    if row["state"] == "queued":
        intake.waker.wake(JobClass(row["class"]))
        if row["execution"] is not None:
            intake.live.announce_end(row["execution"])


def request_invoke(
    intake: Intake,
    app: str,
    *,
    call: Call,
    sync: bool,
    actor: str,
    key: IdempotencyKey | None = None,
    release: int | None = None,
) -> Accepted:
    """Asks for one call of a function; `release` None is the live one.

    A synchronous one is refused at once while the broker is away or no worker takes calls, and makes no job then.
    """
    if sync:
        refuse_without_workers(intake, JobClass.INVOKE)

    def write(tx: Tx) -> Accepted:
        target, spec = _function(tx, app, release)
        if len(call.body) > spec.function.max_body:
            raise BodyTooLarge(
                f"the body has {len(call.body)} bytes, and {app} takes {spec.function.max_body}",
                hint="raise function.maxBody in its infraspec.yaml",
            )
        patience = float(spec.function.timeout) if sync else intake.settings.async_patience
        record = str(spec.function.record)
        run = runs.accept_call(tx, target, call, sync=sync, actor=actor, patience=patience, record=record)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.INVOKE, key, write)


def _function(tx: Tx, app: str, release: int | None) -> tuple[Row, Infraspec]:
    role = apps.role_of(tx, app)
    if role != Role.FUNCTION:
        raise WrongRole(f"{app} is a {role}: only a function can be invoked", hint=f"norn status {app}")
    target = releases.require_live(tx, app) if release is None else releases.rollback_target(tx, app, release)
    return target, apps.spec_of(target["spec"])


def request_cron_run(
    intake: Intake,
    app: str,
    *,
    force: bool,
    actor: str,
    command: tuple[str, ...] | None = None,
    env: Mapping[str, str] | None = None,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Asks for a run now, paused or not; the schedule does not move. `force` runs beside one that runs already.

    `command` and `env` are for this run alone: one replaces the spec's, the other is added to it.
    """
    for name in env or {}:
        names.env_key(name)

    def write(tx: Tx) -> Accepted:
        found, _ = standing_app(intake, tx, app)
        require_role(found, (Role.CRON,), "it has no runs")
        live = releases.require_live(tx, app)
        if not force:
            acceptance.make_way(tx, app, live["spec"].get("concurrency", "forbid"), actor)
        run = runs.accept_cron_run(
            tx, {**live, "spec": _overridden(live["spec"], command, env)}, trigger=Trigger.MANUAL, scheduled_for=None,
            actor=actor, patience=intake.settings.job_patience,
        )  # fmt: skip
        if force:
            slots.hold_extra(tx, JobClass.CRON, app, run.job)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.CRON, key, write)


def _overridden(
    spec: Mapping[str, Any], command: tuple[str, ...] | None, env: Mapping[str, str] | None
) -> dict[str, Any]:
    """Answers the release's spec with what this run alone changes of it; raises SpecInvalid for what none may say."""
    changed = dict(spec)
    if command is not None:
        changed["command"] = list(command)
    if env:
        changed["env"] = {**spec.get("env", {}), **env}
    return from_json(changed).to_json()


def request_run(
    intake: Intake,
    app: str,
    *,
    command: tuple[str, ...],
    timeout: int | None,
    actor: str,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Asks for a command to run once in the live release's image, with the app's environment; `timeout` in seconds."""
    longest = int(intake.settings.run_timeout_max)
    if timeout is not None and not 1 <= timeout <= longest:
        raise InvalidRequest(
            f"timeout: {timeout} is not from 1 to {longest} seconds", hint="raise NORN_RUN_TIMEOUT_MAX on the server"
        )

    def write(tx: Tx) -> Accepted:
        standing_app(intake, tx, app)
        live = releases.require_live(tx, app)
        seconds = timeout or min(longest, int(intake.settings.run_timeout))
        patience = intake.settings.job_patience
        run = runs.accept_oneoff(tx, live, command, timeout=seconds, actor=actor, patience=patience)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.CRON, key, write)
