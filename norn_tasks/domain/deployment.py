"""The deployment: one try to make a release live, and the words for its states."""

from __future__ import annotations

from enum import StrEnum


class DeploymentState(StrEnum):
    """Where a deployment is; the middle ones follow its job's steps."""

    QUEUED = "queued"
    BUILDING = "building"
    TESTING = "testing"
    SNAPSHOTTING = "snapshotting"
    MIGRATING = "migrating"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled_back"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def terminal(self) -> bool:
        """True when its job will not change it any more (a rollback may still mark it rolled back)."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        DeploymentState.DEPLOYED,
        DeploymentState.FAILED,
        DeploymentState.CANCELLED,
        DeploymentState.SUPERSEDED,
        DeploymentState.ROLLED_BACK,
        DeploymentState.NEEDS_ATTENTION,
    }
)


class DeploymentKind(StrEnum):
    """How a deployment came to be."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RETURN = "return"
