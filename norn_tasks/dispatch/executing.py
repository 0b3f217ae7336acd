"""A program in a live replica, for somebody who is there: asked for, and the pieces that go to and fro."""

from __future__ import annotations

import json
import time
from typing import Any

from norn_tasks.dispatch.intake import (
    LONG_RUNNING,
    Accepted,
    Intake,
    accept,
    refuse_without_workers,
    require_role,
    standing_app,
)
from norn_tasks.dispatch.looking import leave_room
from norn_tasks.domain.errors import Unavailable
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.store import jobs, releases
from norn_tasks.store.idempotency import IdempotencyKey
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.session import Tx

PATIENCE = 15.0
TYPED_MOST = 64
"""Pieces that may wait for the program to read them."""
SLOW_SECONDS = 5.0


def request_exec(
    intake: Intake,
    app: str,
    *,
    command: tuple[str, ...],
    actor: str,
    key: IdempotencyKey | None = None,
    **how: Any,
) -> Accepted:
    """Asks for a program in a live replica; refused at once when no worker can run it.

    `how`: `replica` (its number or None), `tty`, `term`, `size`. Whoever asks has so long to begin reading (15 s).
    """
    refuse_without_workers(intake, JobClass.OBSERVE)

    def write(tx: Tx) -> Accepted:
        found, _ = standing_app(intake, tx, app)
        require_role(found, LONG_RUNNING, f"nothing of it stays running; norn run {app} -- COMMAND runs one beside it")
        live = releases.require_live(tx, app)
        leave_room(tx)
        args = {"command": list(command), **how}
        job = jobs.accept(tx, NewJob(JobKind.EXEC, app, actor, PATIENCE, args=args, engine=live["engine"]))
        intake.live.watch(job)
        return Accepted(job)

    return accept(intake, JobClass.OBSERVE, key, write)


def type_into(intake: Intake, job: int, typed: dict[str, Any]) -> None:
    """Hands on what was typed; raises Unavailable when the program does not read what came before."""
    until = time.monotonic() + SLOW_SECONDS
    item = json.dumps(typed)
    while not intake.live.offer(f"{job}:in", item, most=TYPED_MOST):
        if time.monotonic() > until:
            raise Unavailable("the program does not read what was sent before", hint="send it again", retry_after=1)
        time.sleep(0.02)


def written_by(intake: Intake, job: int, seconds: float) -> dict[str, Any] | None:
    """Answers the next piece that the program wrote, or its end; None when there is none within so many seconds."""
    intake.live.watch(job)
    item = intake.live.take(f"{job}:out", seconds)
    told: dict[str, Any] | None = None if item is None else json.loads(item)
    return told


def reader_left(intake: Intake, job: int) -> None:
    """Says that nobody reads any more: the program is ended."""
    intake.live.unwatch(job)
