"""Requests polls of repositories that have no webhook, so that the status of an app can say "update available"."""

from __future__ import annotations

from norn_tasks.dispatch.intake import Accepted, Intake, accept, new_job
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.requests import PolledBranch, PollJobRequest
from norn_tasks.domain.pushes.repository import repository_of
from norn_tasks.store.apps import pushes, webhooks
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs
from norn_tasks.store.status import apps
from norn_tasks.store.status.apps import AppFilter

_KEY = "poll"
"""The dedupe key of all polls, so that only one poll runs at a time and polls occupy at most one worker."""
_AT_ONCE = 10
_EVERY_APP = AppFilter(hidden=True)


def request_due_polls(intake: Intake, *, actor: str) -> Accepted | None:
    """Requests a poll of some of the branches that are due; returns None if none is due, or if a poll is queued or
    running.
    """
    every = intake.settings.poll_seconds
    if not every:
        return None
    with intake.database.transaction() as tx:
        due = _due(intake, tx, every)
        if not due or jobs.coalesced(tx, JobKind.POLL, "", _KEY) is not None:
            return None

    def write(tx: Tx) -> Accepted:
        return Accepted(jobs.accept(tx, new_job(intake, PollJobRequest(due), "", actor, dedupe_key=_KEY)))

    return accept(intake, JobClass.DEPLOY, None, write)


def _due(intake: Intake, tx: Tx, every: float) -> tuple[PolledBranch, ...]:
    reported, lately = webhooks.repositories(tx), pushes.asked_lately(tx, every)
    wanted: dict[pushes.Branch, str] = {}
    for record in apps.known(tx, intake.settings.apps_dir, _EVERY_APP):
        spec = record.spec if record.app is not None else None
        live = record.row is not None and record.row["live_deployment"] is not None
        if spec is None or not live or spec.image is not None or spec.repo.url is None:
            continue
        repository = repository_of(spec.repo.url)
        if repository not in reported:
            wanted.setdefault((repository, spec.repo.branch), spec.repo.url)
    due = sorted((*branch, url) for branch, url in wanted.items() if branch not in lately)
    return tuple(PolledBranch(repository, url, branch) for repository, branch, url in due[:_AT_ONCE])
