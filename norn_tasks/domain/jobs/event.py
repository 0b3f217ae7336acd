"""Events: each publishes one fact, and is written in the same transaction as that fact."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """The kind of fact that an event publishes. A test compares these kinds with the list in `docs/events.md`."""

    APP_APPLIED = "app.applied"
    APP_REMOVED = "app.removed"
    APP_MAINTENANCE = "app.maintenance"
    JOB_ACCEPTED = "job.accepted"
    JOB_CLAIMED = "job.claimed"
    JOB_REQUEUED = "job.requeued"
    JOB_HANDED_BACK = "job.handed-back"
    JOB_CANCEL_REQUESTED = "job.cancel-requested"
    JOB_ENDED = "job.ended"
    JOB_RESOLVED = "job.resolved"
    STEP_STARTED = "step.started"
    STEP_ENDED = "step.ended"
    RELEASE_LIVE = "release.live"
    EXECUTION_BEGUN = "execution.begun"
    EXECUTION_ENDED = "execution.ended"
    EXECUTION_RETRIED = "execution.retried"
    SECRET_SET = "secret.set"  # noqa: S105
    SECRET_UNSET = "secret.unset"  # noqa: S105
    SCHEDULE_CHANGED = "schedule.changed"
    SCHEDULE_PAUSED = "schedule.paused"
    SCHEDULE_RESUMED = "schedule.resumed"
    TICK_DECIDED = "tick.decided"
    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    NOTIFICATION_GIVEN_UP = "notification.given-up"
    DESTINATION_ADDED = "destination.added"
    DESTINATION_REMOVED = "destination.removed"
    WORKLOAD_CHANGED = "workload.changed"
    REPLICA_DRAINING = "replica.draining"
    REPLICA_DRAINED = "replica.drained"
    WORKER_DRAINING = "worker.draining"
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
