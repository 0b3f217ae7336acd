"""The possible verdicts on a rollout and their causes, and the two classes that carry them: assessments, and troubles
that rules find.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class NotAssessable(ValueError):
    """The objects contain no rollout that can be assessed; the sentence says what is missing."""


class RolloutVerdict(StrEnum):
    """The state of a rollout."""

    PROGRESSING = "progressing"
    AVAILABLE = "available"
    FAILED = "failed"


class RolloutCause(StrEnum):
    """The reason for a verdict."""

    AVAILABLE = "available"

    NOT_OBSERVED = "not_observed"
    BEING_DELETED = "being_deleted"
    PAUSED = "paused"
    STARTING = "starting"
    NOT_READY = "not_ready"
    READINESS_GATE = "readiness_gate"
    MIN_READY = "min_ready"
    OLD_PODS = "old_pods"
    SCHEDULING_GATED = "scheduling_gated"

    INVALID_IMAGE_NAME = "invalid_image_name"
    IMAGE_NOT_LOADED = "image_not_loaded"
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_REFUSED = "image_refused"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    REGISTRY_LIMITS = "registry_limits"
    WRONG_PLATFORM = "wrong_platform"
    IMAGE_NOT_PULLED = "image_not_pulled"

    SECRET_MISSING = "secret_missing"  # noqa: S105
    SECRET_KEY_MISSING = "secret_key_missing"  # noqa: S105
    CONFIG_MAP_MISSING = "config_map_missing"
    CONFIG_MAP_KEY_MISSING = "config_map_key_missing"
    RUNS_AS_ROOT = "runs_as_root"
    BAD_CONFIGURATION = "bad_configuration"
    CACHE_BEHIND = "cache_behind"

    BAD_COMMAND = "bad_command"
    HOOK_FAILED = "hook_failed"
    NOT_STARTED = "not_started"

    OUT_OF_MEMORY = "out_of_memory"
    INIT_FAILED = "init_failed"
    EXITS_ZERO = "exits_zero"
    CRASH_LOOP = "crash_loop"

    NOTHING_LISTENS = "nothing_listens"
    PROBE_TIMEOUT = "probe_timeout"
    STARTUP_PROBE = "startup_probe"
    LIVENESS_PROBE = "liveness_probe"
    READINESS_PROBE = "readiness_probe"

    INSUFFICIENT = "insufficient"
    TAINT = "taint"
    NO_SUCH_NODE = "no_such_node"
    AFFINITY = "affinity"
    PORT_TAKEN = "port_taken"
    UNSCHEDULABLE = "unschedulable"
    AWAITING_NODE = "awaiting_node"

    QUOTA = "quota"
    QUOTA_NEEDS_LIMITS = "quota_needs_limits"
    LIMIT_RANGE = "limit_range"
    POD_SECURITY = "pod_security"
    ADMISSION_DENIED = "admission_denied"
    WEBHOOK_UNREACHABLE = "webhook_unreachable"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"
    CONTROL_PLANE = "control_plane"
    POD_REFUSED = "pod_refused"

    CLAIM_MISSING = "claim_missing"
    CLAIM_UNBOUND = "claim_unbound"
    CLAIM_PROVISIONING = "claim_provisioning"
    VOLUME_NOT_MOUNTED = "volume_not_mounted"

    NODE_NOT_READY = "node_not_ready"
    NODE_PRESSURE = "node_pressure"
    EVICTED = "evicted"
    NODE_REFUSED = "node_refused"
    SANDBOX = "sandbox"

    DEADLINE = "deadline"


@dataclass(frozen=True)
class Assessment:
    """The verdict on a rollout."""

    verdict: RolloutVerdict
    """The verdict itself."""
    cause: RolloutCause
    """Why, from a closed list."""
    sentence: str
    """The cause, with the name of the thing at fault."""
    hint: str = ""
    """A hint for the user; empty if nothing is wrong, or if the output of the job says more."""
    pod: str | None = None
    """The pod that shows the cause; None if no pod does."""


@dataclass(frozen=True)
class RolloutTrouble:
    """A possible cause of failure that a rule found in the objects."""

    cause: RolloutCause
    """Why the rollout fails, or would fail if the cause lasted."""
    sentence: str
    """The cause, with the name of the thing at fault."""
    pod: str | None = None
    """The pod that shows the cause; None if no pod does."""
    since: datetime | None = None
    """When the cause began; None if the objects do not say, which counts as long ago."""
    passing: bool = False
    """True if the cause has not lasted long enough, or not happened often enough, for another verdict than
    `progressing`.
    """
    hint: str = ""
    """A hint that replaces the hint of the cause."""
    reason: str = ""
    """The name that Kubernetes gives the cause: its documentation has an entry of that name."""
    patience: timedelta | None = None
    """How long this trouble may last, if that differs from the time of its cause."""

    @property
    def whole_sentence(self) -> str:
        """Returns the sentence together with the name that Kubernetes gives the cause."""
        return f"{self.sentence} ({self.reason})" if self.reason and self.reason not in self.sentence else self.sentence
