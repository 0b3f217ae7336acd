"""Notifications: their destinations, the deliveries that are due, test deliveries, and the call of the dead man's
switch. That switch is a service outside that raises an alarm when the calls stop.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from norn_tasks import sealing
from norn_tasks.dispatch.intake import Accepted, Intake, accept, new_job
from norn_tasks.domain.alerting.alert import Severity
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import LONGEST_PAUSE, fresh_secret
from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import CallDeadManJobRequest, NotifyJobRequest
from norn_tasks.domain.secret import Secret
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.alerts import dead_man, deliveries, destinations
from norn_tasks.store.alerts.destinations import NewDestination
from norn_tasks.store.apps import secrets as app_secrets
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import beats
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.runs import callbacks


@dataclass(frozen=True)
class DestinationToAdd:
    """A new destination of notifications."""

    name: str
    """The destination's name."""
    url: str
    """The address to which notifications are sent."""
    apps: tuple[str, ...] | None = None
    """The apps for which it gets alerts; None for all apps."""
    kinds: tuple[str, ...] | None = None
    """The kinds of alerts that it gets; None for all kinds."""
    format: NotificationFormat = NotificationFormat.JSON
    """The format of its messages."""
    severity: Severity = Severity.WARNING
    """The lowest severity of the alerts that it gets."""


AT_ONCE = 50
"""The most deliveries that become jobs in one round."""
ON_TIME = 5.0
"""The scheduler counts as late if an occurrence has waited longer than this many seconds for its verdict."""


def add_destination(tx: Tx, new: DestinationToAdd, *, actor: str) -> Secret | None:
    """Adds a destination; returns the secret with which messages to it are signed. Only an encrypted copy of the secret
    is stored.

    Returns None if the format is not signed. Raises Conflict when the name is taken, or the server has no key for
    encryption yet.
    """
    secret = Secret(fresh_secret()) if new.format is NotificationFormat.JSON else None
    sealed = None if secret is None else sealing.seal(secret.reveal(), app_secrets.recipient(tx))
    written = NewDestination(new.name, new.url, sealed, new.apps, new.kinds, new.format, new.severity)
    destinations.create(tx, written, actor)
    return secret


def request_deliveries(intake: Intake, *, actor: str) -> int:
    """Accepts a job for each delivery that is due, gives up deliveries that failed too often, and returns how many were
    due.

    First it creates deliveries for the callbacks of calls that have ended.
    """
    with intake.database.transaction() as tx:
        if not deliveries.anything_waits(tx):
            return 0
        callbacks.ended(tx, AT_ONCE)
        due = deliveries.due(tx, AT_ONCE)
        for row in deliveries.gather(tx, due):
            if row["attempts"] >= intake.settings.notify_attempts:
                deliveries.give_up(tx, row)
            else:
                _try(intake, tx, row["id"], row["attempts"] + 1, actor)
    if due:
        intake.waker.wake(JobClass.OBSERVE, min(len(due), intake.settings.workers_observe))
    return len(due)


def _try(intake: Intake, tx: Tx, delivery: int, attempt: int, actor: str) -> int:
    job = jobs.accept(tx, new_job(intake, NotifyJobRequest(delivery, attempt), "", actor))
    pause = doubling_pause(intake.settings.notify_backoff, attempt, most=LONGEST_PAUSE)
    deliveries.trying(tx, delivery, job, pause)
    return job


def request_test(intake: Intake, destination: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Accepts a test delivery to the destination; raises NotFound."""

    def write(tx: Tx) -> Accepted:
        delivery = deliveries.enqueue_test(tx, destination, f"test-{secrets.token_hex(8)}", actor)
        return Accepted(_try(intake, tx, delivery, 1, actor))

    return accept(intake, JobClass.OBSERVE, key, write)


def request_deadman(intake: Intake, *, actor: str) -> bool:
    """Accepts a call of the dead man's switch once per period, if occurrences are decided punctually; returns True if
    it did.

    If no worker makes the call within the period, it is dropped, because it would report a time that has passed.
    """
    settings = intake.settings
    if not settings.deadman_url:
        return False
    with intake.database.transaction() as tx:
        if beats.overdue(tx) > ON_TIME or not dead_man.turn(tx, settings.deadman_period):
            return False
        jobs.accept(tx, NewJob(CallDeadManJobRequest(), "", actor, patience=settings.deadman_period))
    intake.waker.wake(JobClass.OBSERVE)
    return True
