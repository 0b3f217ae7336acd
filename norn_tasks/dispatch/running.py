"""Requests that run code (calls of a function, manual cron runs, one-offs), and the cancellation of any job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from norn_tasks.dispatch.calls.places import require_place
from norn_tasks.dispatch.executing import PATIENCE
from norn_tasks.dispatch.intake import Accepted, Intake, accept, refuse_without_workers, registered_app, require_role
from norn_tasks.domain import names
from norn_tasks.domain.errors import BodyTooLarge, InvalidRequest, WrongRole
from norn_tasks.domain.infraspec import Infraspec, Role, RuntimeName, from_json
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import ClientTerminal, RunJobRequest
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.apps import registry
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.cron import manual
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue import cancelling, slots, sweeper
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import callbacks, runs
from norn_tasks.store.runs.async_calls import AsyncCall, KnownRelease

GROUPED_BODY = 64 * 1024
"""The largest body, in bytes, of a call that is accepted together with others."""


def request_cancel(intake: Intake, job: int, *, actor: str) -> None:
    """Cancels a queued job immediately. If the job runs, or if its container may still run, the job is asked to stop.

    A job that has ended is not changed.
    """
    with intake.database.transaction() as tx:
        row = cancelling.cancel(tx, job, actor)
    if row["state"] == "queued":
        intake.waker.wake(JobClass(row["class"]))
        if row["execution"] is not None:
            intake.live.announce_end(row["execution"])


def expire_call(intake: Intake, job: int) -> None:
    """Ends a call that no worker began in time, so that no worker begins it later."""
    with intake.database.transaction() as tx:
        sweeper.expire_overdue(tx, job)


def request_invoke(
    intake: Intake,
    app: str,
    *,
    call: Call,
    sync: bool,
    actor: str,
    key: IdempotencyKey | None = None,
    release: int | None = None,
    holder: str = "",
    callback: str | None = None,
    stream: bool = False,
) -> Accepted:
    """Accepts one call of a function; if `release` is None, the live release is called.

    A synchronous call is refused immediately, without a job, while the broker is unreachable or no worker takes calls.
    Any call is refused while the function's queue is full; `holder` is the sender, who may fill only a part of the
    queue. `callback` names the destination that gets a report of the end of an asynchronous call. `stream`: the sender
    reads the output while the code runs.
    """
    if sync:
        refuse_without_workers(intake, JobClass.INVOKE)

    def write(tx: Tx) -> Accepted:
        target, spec = _function(tx, app, release)
        _require_fit(app, call, spec.function.max_body)
        require_place(tx, intake.settings, app, sync=sync, holder=holder, uncounted=intake.groups.uncounted)
        patience = float(spec.function.timeout) if sync else intake.settings.async_patience
        record = str(spec.function.record)
        run = runs.accept_call(
            tx, target, call, sync=sync, actor=actor, patience=patience, record=record, stream=stream
        )
        if stream:
            intake.live.watch(run.job)  # before a worker checks whether anybody reads the output
        if callback is not None:
            callbacks.wish(tx, run.execution, app, callback)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.INVOKE, key, write)


def request_grouped_invoke(
    intake: Intake, app: str, known: LiveFunction, *, call: Call, actor: str, holder: str = ""
) -> Accepted:
    """Accepts an asynchronous call as `request_invoke` does, if possible in one transaction with others.

    `known`: the live release as the caller knows it, perhaps no longer up to date.
    """
    accepted = _accept_in_group(intake, app, known, AsyncCall(call, actor), holder)
    return accepted or request_invoke(intake, app, call=call, sync=False, actor=actor, holder=holder)


def _accept_in_group(intake: Intake, app: str, known: LiveFunction, call: AsyncCall, holder: str) -> Accepted | None:
    """Accepts a call together with others; returns None if the call must be accepted alone."""
    _require_fit(app, call.call, known.options.max_body)
    if len(call.call.body) > GROUPED_BODY or not intake.groups.uncounted.take(app, holder):
        return None
    release = KnownRelease(app, known.release, str(known.options.record), known.max_runs)
    run = intake.groups.accept(intake.database, release, call, patience=intake.settings.async_patience)
    if run is None:
        return None
    intake.waker.wake(JobClass.INVOKE)
    return Accepted(run.job, execution=run.execution)


def _require_fit(app: str, call: Call, most: int) -> None:
    """Raises BodyTooLarge if the call's body has more bytes than its function accepts."""
    if len(call.body) > most:
        raise BodyTooLarge(
            f"the body has {len(call.body)} bytes, and {app} takes {most}",
            hint="raise function.maxBody in its infraspec.yaml",
        )


def _function(tx: Tx, app: str, release: int | None) -> tuple[Row, Infraspec]:
    role = registry.role_of(tx, app)
    if role != Role.FUNCTION:
        raise WrongRole(f"{app} is a {role}: only a function can be invoked", hint=f"norn status {app}")
    target = releases.require_live(tx, app) if release is None else releases.rollback_target(tx, app, release)
    return target, registry.spec_of(target["spec"])


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
    """Accepts a cron run that begins now, even if the schedule is paused; the schedule's times do not change.

    `force` allows the run while another one is running. `command` and `env` are for this run alone: `command` replaces
    the spec's command, and `env` is added to the spec's `env`.
    """
    for name in env or {}:
        names.env_key(name)

    def write(tx: Tx) -> Accepted:
        found, _ = registered_app(intake, tx, app)
        require_role(found, (Role.CRON,), "it has no runs")
        live = releases.require_live(tx, app)
        if not force:
            manual.make_way(tx, app, live["spec"]["concurrency"], actor)
        run = runs.accept_cron_run(
            tx, {**live, "spec": _overridden(live["spec"], command, env)}, trigger=RunTrigger.MANUAL,
            scheduled_for=None, actor=actor, patience=intake.settings.job_patience,
        )  # fmt: skip
        if force:
            slots.hold_extra(tx, JobClass.CRON, app, run.job)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.CRON, key, write)


def _allow_client(live: Row, client: ClientTerminal | None) -> None:
    """Raises InvalidRequest if a client wants to be connected to a run with `runtime: incus`."""
    if client is not None and registry.spec_of(live["spec"]).runtime is RuntimeName.INCUS:
        raise InvalidRequest(
            "a run with runtime: incus cannot have a terminal or an open input",
            hint="norn run without --tty and --stdin prints what the command prints",
        )


def _overridden(
    spec: Mapping[str, Any], command: tuple[str, ...] | None, env: Mapping[str, str] | None
) -> dict[str, Any]:
    """Returns the release's infraspec with the changes for this run alone; raises SpecInvalid."""
    changed = dict(spec)
    if command is not None:
        changed["command"] = list(command)
    if env:
        changed["env"] = {**spec["env"], **env}
    return from_json(changed).frozen()


def request_run(
    intake: Intake,
    app: str,
    *,
    command: tuple[str, ...],
    timeout: int | None,
    actor: str,
    client: ClientTerminal | None = None,
    key: IdempotencyKey | None = None,
) -> Accepted:
    """Accepts a one-off: a command in the live release's image and environment, stopped after `timeout` seconds.

    If a client is connected to the run, the client must begin to read and the run must begin within `PATIENCE` seconds.
    """
    longest = int(intake.settings.run_timeout_max)
    if timeout is not None and not 1 <= timeout <= longest:
        raise InvalidRequest(
            f"timeout: {timeout} is not from 1 to {longest} seconds", hint="raise NORN_RUN_TIMEOUT_MAX on the server"
        )

    def write(tx: Tx) -> Accepted:
        _, row = registered_app(intake, tx, app)
        live = releases.require_live(tx, app)
        cluster = row["cluster"] if intake.settings.place_of_cluster(row["cluster"]) is None else None
        _allow_client(live, client)
        seconds = timeout or min(longest, int(intake.settings.run_timeout))
        patience = PATIENCE if client is not None else intake.settings.job_patience
        asked = RunJobRequest(command, seconds, client)
        run = runs.accept_oneoff(tx, live, asked, cluster=cluster, actor=actor, patience=patience)
        if client is not None:
            intake.live.watch(run.job)
        return Accepted(run.job, execution=run.execution)

    return accept(intake, JobClass.CRON, key, write)
