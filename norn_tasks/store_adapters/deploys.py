"""Accepts deploys that pushes request, in the same way as deploys that people request."""

from __future__ import annotations

from norn_tasks.dispatch import Intake, request_deploy
from norn_tasks.domain.pushes.push import ACTOR
from norn_tasks.store.access.idempotency import IdempotencyKey


class RequestedDeploys:
    """Implements `ports.Deploys`: one deploy for each job that requests one."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def deploy(self, app: str, revision: str, job: int) -> int:
        """Accepts the deploy, and returns its job; a second request of the same job has the same key, and returns the
        same deploy.
        """
        key = IdempotencyKey(ACTOR, "POST", f"/api/apps/{app}/deploy", f"push-{job}", revision)
        return request_deploy(self._intake, app, ref=revision, actor=ACTOR, key=key).job
