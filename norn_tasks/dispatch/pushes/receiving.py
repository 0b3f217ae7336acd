"""Pushes that webhooks report: each is recorded once, and a job is accepted for each app that may need a deploy.

The job compares the commit with the app's live release. Only git knows which files differ, because the lists in a
delivery are truncated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from norn_tasks.dispatch.intake import Intake, new_job
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import PushJobRequest
from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.domain.pushes.push import ACTOR, Push, ReportedEvent
from norn_tasks.domain.pushes.repository import repository_of
from norn_tasks.store.apps import pushes, webhooks
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs
from norn_tasks.store.status import apps
from norn_tasks.store.status.apps import AppFilter

_SEEN = "this delivery was received before, and was not processed again"
_EVERY_APP = AppFilter(hidden=True)


@dataclass(frozen=True)
class ReceivedDelivery:
    """A request to a webhook, after its signature was checked."""

    webhook: int
    delivery: str
    """The id that the sender gave to the delivery."""
    body: bytes
    """Its body, over which the signature was computed."""
    event: ReportedEvent

    @property
    def digest(self) -> str:
        """The SHA-256 of the delivery's id and body.

        GitLab's body contains neither a time nor an id, so it repeats when a branch is moved away and back.
        """
        return hashlib.sha256(self.delivery.encode() + b"\n" + self.body).hexdigest()


@dataclass(frozen=True)
class Reception:
    """The result of a delivery: a sentence, and the job of each app."""

    outcome: str
    jobs: tuple[tuple[str, int], ...] = ()


def receive(intake: Intake, received: ReceivedDelivery) -> Reception:
    """Records a delivery and accepts its jobs in one transaction; raises NotFound if the webhook was removed."""
    with intake.database.transaction() as tx:
        webhook = webhooks.one(tx, received.webhook)
        id = pushes.record(tx, received.webhook, received.digest, received.delivery, received.event)
        if id is None:
            return Reception(_SEEN)
        push = received.event.push
        if push is None:
            return Reception(received.event.ignored)
        reception = _accepted(intake, tx, webhook.repository, id, push)
        pushes.conclude(tx, id, reception.outcome)
    if reception.jobs:
        intake.waker.wake(JobClass.DEPLOY)
    return reception


def _accepted(intake: Intake, tx: Tx, repository: str, delivery: int, push: Push) -> Reception:
    known = (record.spec for record in apps.known(tx, intake.settings.apps_dir, _EVERY_APP) if record.app is not None)
    of_repository = [spec for spec in known if spec is not None and _is_of(spec, repository)]
    if not of_repository:
        return Reception(f"no app has the repository {repository}")
    if any(spec.repo.branch == push.branch for spec in of_repository):
        pushes.branch_seen(tx, BranchSeen(repository, push.branch, push.after))
    meant = sorted((spec for spec in of_repository if _wants(spec, push)), key=lambda spec: spec.app)
    if not meant:
        return Reception(f"no app of {repository} has repo.autoDeploy and the branch {push.branch}"[:300])
    accepted = tuple(_jobs(intake, tx, delivery, push, meant))
    if not accepted:
        return Reception(f"{push.after[:12]} was pushed before; nothing was done again")
    return Reception("compared for " + ", ".join(app for app, _ in accepted), accepted)


def _jobs(intake: Intake, tx: Tx, delivery: int, push: Push, specs: Iterable[Infraspec]) -> Iterable[tuple[str, int]]:
    for spec in specs:
        if pushes.is_news(tx, spec.app, push.after, delivery):
            url = spec.repo.url or ""
            request = PushJobRequest(url, push.branch, push.before, push.after, spec.repo.paths)
            job = jobs.accept(tx, new_job(intake, request, spec.app, ACTOR))
            pushes.add_job(tx, delivery, spec.app, job)
            yield spec.app, job


def _is_of(spec: Infraspec, repository: str) -> bool:
    return spec.image is None and spec.repo.url is not None and repository_of(spec.repo.url) == repository


def _wants(spec: Infraspec, push: Push) -> bool:
    return spec.repo.auto_deploy and spec.deploy and spec.repo.branch == push.branch
