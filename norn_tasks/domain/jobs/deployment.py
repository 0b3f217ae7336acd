"""The deployment: one attempt to make a release live, and its states."""

from __future__ import annotations

from enum import StrEnum


class DeploymentState(StrEnum):
    """The state of a deployment; the states from `building` to `deploying` follow the steps of its job."""

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
        """True if the deployment's job no longer changes it; a rollback may still mark it as rolled back."""
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
    """The origin of a deployment."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RETURN = "return"
    FORGE = "forge"
