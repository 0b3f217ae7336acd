"""Telling somebody outside: due deliveries, a try whether a destination is reached, the dead man's call."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from norn_tasks import age
from norn_tasks.dispatch.intake import Accepted, Intake, accept, new_job
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.domain.notification import fresh_secret, pause_after
from norn_tasks.domain.secret import Secret
from norn_tasks.store import beats_read, deadman, deliveries, destinations, jobs
from norn_tasks.store import secrets as sealing
from norn_tasks.store.destinations import NewDestination
from norn_tasks.store.idempotency import IdempotencyKey
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.session import Tx


@dataclass(frozen=True)
class WantedDestination:
    """Where notifications are to go. `apps`, `kinds` None: of all."""

    name: str
    url: str
    apps: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None


AT_ONCE = 50
"""Deliveries that one round makes jobs of."""
ON_TIME = 5.0
"""Seconds that an occurrence may wait for its verdict while beat counts as being on time."""


def add_destination(tx: Tx, new: WantedDestination, *, actor: str) -> Secret:
    """Keeps a destination of notifications, and answers the secret that signs them, which is sealed from now on.

    Raises Conflict when the name is taken, or the server has no key yet.
    """
    secret = Secret(fresh_secret())
    sealed = age.seal(secret.reveal(), sealing.recipient(tx))
    destinations.create(tx, NewDestination(new.name, new.url, sealed, new.apps, new.kinds), actor)
    return secret


def request_deliveries(intake: Intake, *, actor: str) -> int:
    """Asks workers to send what is due, and gives up what was tried often enough; answers how many were due."""
    with intake.database.transaction() as tx:
        due = deliveries.due(tx, AT_ONCE)
        for row in due:
            if row["attempts"] >= intake.settings.notify_attempts:
                deliveries.give_up(tx, row)
            else:
                _try(intake, tx, row["id"], row["attempts"] + 1, actor)
    if due:
        intake.waker.wake(JobClass.OBSERVE, min(len(due), intake.settings.workers_observe))
    return len(due)


def _try(intake: Intake, tx: Tx, delivery: int, attempt: int, actor: str) -> int:
    job = jobs.accept(tx, new_job(intake, JobKind.NOTIFY, "", actor, args={"delivery": delivery, "attempt": attempt}))
    deliveries.trying(tx, delivery, job, pause_after(attempt, intake.settings.notify_backoff))
    return job


def request_test(intake: Intake, destination: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Asks for a delivery that says nothing but that it arrives; raises NotFound."""

    def write(tx: Tx) -> Accepted:
        delivery = deliveries.enqueue_test(tx, destination, f"test-{secrets.token_hex(8)}", actor)
        return Accepted(_try(intake, tx, delivery, 1, actor))

    return accept(intake, JobClass.OBSERVE, key, write)


def request_deadman(intake: Intake, *, actor: str) -> bool:
    """Asks for the dead man's call once in a period, if occurrences are decided on time; True when it asked.

    A call that no worker makes within the period is not made later: it would tell of a moment that has passed.
    """
    settings = intake.settings
    if not settings.deadman_url:
        return False
    with intake.database.transaction() as tx:
        if beats_read.overdue(tx) > ON_TIME or not deadman.turn(tx, settings.deadman_period):
            return False
        jobs.accept(tx, NewJob(JobKind.CALL_DEADMAN, "", actor, patience=settings.deadman_period))
    intake.waker.wake(JobClass.OBSERVE)
    return True
