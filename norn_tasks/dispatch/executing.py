"""Programs that run in a live replica for a connected client: their start, their input and their output."""

from __future__ import annotations

import json
import time
from typing import Any

from norn_tasks.dispatch.intake import (
    Accepted,
    Intake,
    accept,
    refuse_without_workers,
    registered_app,
    require_role,
)
from norn_tasks.dispatch.looking import leave_room
from norn_tasks.domain.errors import Unavailable
from norn_tasks.domain.infraspec import LONG_RUNNING
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import ExecJobRequest
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.releases import releases

PATIENCE = 15.0
TYPED_MOST = 64
"""How many pieces of input may wait for the program to read them."""
SLOW_SECONDS = 5.0


def request_exec(
    intake: Intake,
    app: str,
    *,
    request: ExecJobRequest,
    actor: str,
    key: IdempotencyKey | None = None,
    holder: str = "",
) -> Accepted:
    """Accepts a program to run in a live replica; refuses it immediately if no worker can run it.

    The client must begin to read the output within `PATIENCE` seconds.
    """
    refuse_without_workers(intake, JobClass.OBSERVE)

    def write(tx: Tx) -> Accepted:
        found, row = registered_app(intake, tx, app)
        require_role(
            found,
            LONG_RUNNING,
            f"it has no running replicas; norn run {app} -- COMMAND runs a command in a new container",
        )
        live = releases.require_live(tx, app)
        leave_room(tx, holder)
        new = NewJob(request, app, actor, PATIENCE, engine=live["engine"], cluster=row["cluster"])
        job = jobs.accept(tx, new)
        intake.live.watch(job)
        return Accepted(job)

    return accept(intake, JobClass.OBSERVE, key, write)


def type_into(intake: Intake, job: int, typed: dict[str, Any]) -> None:
    """Sends input to the program; raises Unavailable if the program has not read earlier input."""
    until = time.monotonic() + SLOW_SECONDS
    item = json.dumps(typed)
    while not intake.live.offer(f"{job}:in", item, most=TYPED_MOST):
        if time.monotonic() > until:
            raise Unavailable("the program has not read the earlier input yet", hint="send it again", retry_after=1)
        time.sleep(0.02)


def written_by(intake: Intake, job: int, seconds: float) -> dict[str, Any] | None:
    """Returns the next piece of output, or the end of the program; None if neither arrives within `seconds`."""
    intake.live.watch(job)
    item = intake.live.take(f"{job}:out", seconds)
    piece: dict[str, Any] | None = None if item is None else json.loads(item)
    return piece


def reader_left(intake: Intake, job: int) -> None:
    """Stops the program, because its client has disconnected."""
    intake.live.unwatch(job)
