"""How long each cause may last before the rollout counts as failed, and a hint for each cause.

A cause that cannot end by itself fails the rollout immediately. A cause that another system may end (a registry, an
autoscaler, a provisioner) gets more time. States that a controller shows briefly while it works get five seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

AT_ONCE = timedelta(0)
MOMENT = timedelta(seconds=5)
NODE = timedelta(seconds=30)
OUTSIDE = timedelta(seconds=60)
DETACHING = timedelta(seconds=400)
"""For a volume that is still attached to another node: the cluster detaches it from a lost node after six minutes."""
AUTOSCALER = timedelta(seconds=600)


@dataclass(frozen=True)
class Handling:
    """How a cause of failure is handled."""

    patience: timedelta
    """How long it may last."""
    hint: str
    """The hint that helps; empty where the output of the job says more."""


_IMAGE = "norn deploy builds and pushes it again; kubectl get events shows what the node tried"
_JOB = ""
"""No hint: the pod no longer exists. Its last lines are in the job's output, and the error message points to that
output.
"""
_PROBE = "the healthcheck of the infraspec says what is asked, and for how long"
_EVENTS = "kubectl get events shows what the node tried"
_ROOM = "free some on the nodes, add a node, or lower what the app asks for in its infraspec"
_NODES = "kubectl describe node shows the state of each node"
_VOLUME = "kubectl describe pvc shows why; NORN_KUBE_STORAGE_CLASS chooses the class"
_OPERATOR = "the people who run the cluster can change this rule, or say what the app must change"

HANDLING: Mapping[Cause, Handling] = {
    Cause.INVALID_IMAGE_NAME: Handling(AT_ONCE, "an image is named registry/name:tag or registry/name@digest"),
    Cause.IMAGE_NOT_LOADED: Handling(AT_ONCE, "load the image onto every node, or let the nodes pull it"),
    Cause.IMAGE_NOT_FOUND: Handling(AT_ONCE, _IMAGE),
    Cause.IMAGE_REFUSED: Handling(AT_ONCE, "NORN_REGISTRY_CONFIG names the file with the registry's login"),
    Cause.REGISTRY_UNREACHABLE: Handling(OUTSIDE, "see whether the nodes reach the registry under this name"),
    Cause.REGISTRY_LIMITS: Handling(OUTSIDE, "a login, or a registry of your own, raises the limit"),
    Cause.WRONG_PLATFORM: Handling(AT_ONCE, "build the image for the processor of the nodes"),
    Cause.IMAGE_NOT_PULLED: Handling(MOMENT, _IMAGE),
    Cause.SECRET_MISSING: Handling(
        AT_ONCE, "norn secrets list shows those that are set; a new deploy writes the secret again"
    ),
    Cause.SECRET_KEY_MISSING: Handling(AT_ONCE, "set the key, or remove its name from the infraspec"),
    Cause.CONFIG_MAP_MISSING: Handling(AT_ONCE, "create the ConfigMap in the namespace of the app"),
    Cause.CONFIG_MAP_KEY_MISSING: Handling(AT_ONCE, "add the key to the ConfigMap"),
    Cause.RUNS_AS_ROOT: Handling(AT_ONCE, "add USER with a number to the Dockerfile"),
    Cause.BAD_CONFIGURATION: Handling(AT_ONCE, "kubectl get events shows what the node refuses"),
    Cause.CACHE_BEHIND: Handling(OUTSIDE, _NODES),
    Cause.BAD_COMMAND: Handling(AT_ONCE, "correct CMD or ENTRYPOINT of the image, or the command of the infraspec"),
    Cause.HOOK_FAILED: Handling(AT_ONCE, "correct the hook of the container"),
    Cause.NOT_STARTED: Handling(OUTSIDE, _EVENTS),
    Cause.OUT_OF_MEMORY: Handling(AT_ONCE, "raise memory in the infraspec, or have the app use less"),
    Cause.INIT_FAILED: Handling(AT_ONCE, _JOB),
    Cause.EXITS_ZERO: Handling(AT_ONCE, "a webserver or worker runs until it is stopped; cron is for work that ends"),
    Cause.CRASH_LOOP: Handling(AT_ONCE, _JOB),
    Cause.NOTHING_LISTENS: Handling(AT_ONCE, "have the app listen on 0.0.0.0 and on the port of its infraspec"),
    Cause.PROBE_TIMEOUT: Handling(AT_ONCE, _PROBE),
    Cause.STARTUP_PROBE: Handling(AT_ONCE, _PROBE),
    Cause.LIVENESS_PROBE: Handling(AT_ONCE, _PROBE),
    Cause.READINESS_PROBE: Handling(AT_ONCE, _PROBE),
    Cause.INSUFFICIENT: Handling(MOMENT, _ROOM),
    Cause.TAINT: Handling(MOMENT, "remove the taint from a node, or add a node without one"),
    Cause.NO_SUCH_NODE: Handling(MOMENT, "label a node so that it matches, or change the selector"),
    Cause.AFFINITY: Handling(MOMENT, "add a node, or change the rules of affinity and spread"),
    Cause.PORT_TAKEN: Handling(MOMENT, "do without the host port, or choose another"),
    Cause.UNSCHEDULABLE: Handling(MOMENT, _NODES),
    Cause.AWAITING_NODE: Handling(AUTOSCALER, "the log of the autoscaler says why no node is added"),
    Cause.QUOTA: Handling(MOMENT, "raise the quota, remove what is not used, or lower what the app asks for"),
    Cause.QUOTA_NEEDS_LIMITS: Handling(MOMENT, "set memory and cpus in the infraspec"),
    Cause.LIMIT_RANGE: Handling(MOMENT, "set memory and cpus in the infraspec within these limits"),
    Cause.POD_SECURITY: Handling(MOMENT, _OPERATOR),
    Cause.ADMISSION_DENIED: Handling(MOMENT, _OPERATOR),
    Cause.WEBHOOK_UNREACHABLE: Handling(NODE, "the server of this webhook must run before pods can be created"),
    Cause.SERVICE_ACCOUNT_MISSING: Handling(MOMENT, "create the ServiceAccount in the namespace of the app"),
    Cause.CONTROL_PLANE: Handling(OUTSIDE, "see whether the API server and its database run"),
    Cause.POD_REFUSED: Handling(MOMENT, "kubectl describe replicaset shows the refusal"),
    Cause.CLAIM_MISSING: Handling(MOMENT, "norn forge creates the claims of an app"),
    Cause.CLAIM_UNBOUND: Handling(MOMENT, _VOLUME),
    Cause.CLAIM_PROVISIONING: Handling(OUTSIDE, _VOLUME),
    Cause.VOLUME_NOT_MOUNTED: Handling(OUTSIDE, _EVENTS),
    Cause.NODE_NOT_READY: Handling(NODE, _NODES),
    Cause.NODE_PRESSURE: Handling(MOMENT, "free disk or memory of the node"),
    Cause.EVICTED: Handling(MOMENT, "free disk or memory of the node, or lower what the app uses"),
    Cause.NODE_REFUSED: Handling(MOMENT, _NODES),
    Cause.SANDBOX: Handling(OUTSIDE, "see the network plugin and the container runtime of this node"),
    Cause.DEADLINE: Handling(AT_ONCE, _JOB),
}
"""The handling of every cause with which a rollout can fail."""


def hint_of(trouble: RolloutTrouble) -> str:
    """Returns the hint for a trouble."""
    known = HANDLING.get(trouble.cause)
    return trouble.hint or (known.hint if known else "")


def has_lasted(trouble: RolloutTrouble, now: datetime) -> bool:
    """Returns True if a trouble has lasted as long as it may, so that its rollout has failed."""
    known = HANDLING.get(trouble.cause)
    if known is None or trouble.passing:
        return False
    patience = known.patience if trouble.patience is None else trouble.patience
    return trouble.since is None or now - trouble.since >= patience
