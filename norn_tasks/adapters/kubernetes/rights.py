"""The rights that Norn needs in its namespace, and the check whether it has them.

`deploy/kubernetes/rbac.yaml` grants exactly these; a test compares the two.
"""

from __future__ import annotations

from norn_tasks.adapters.kubernetes.api import Api

_WRITE = ("get", "list", "create", "patch", "delete")
NEEDED: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "deployments"): ("get", "list", "watch", "create", "patch", "delete"),
    ("apps", "replicasets"): ("list",),
    ("", "pods"): ("get", "list", "watch"),
    ("", "pods/log"): ("get",),
    ("", "pods/exec"): ("get", "create"),
    ("", "services"): _WRITE,
    ("", "secrets"): _WRITE,
    ("", "configmaps"): ("get", "list", "create", "delete"),
    ("batch", "jobs"): _WRITE,
    ("", "persistentvolumeclaims"): ("get", "list", "create", "delete"),
    ("", "events"): ("list",),
    ("policy", "poddisruptionbudgets"): _WRITE,
}
"""The verbs that Norn needs for each resource, by API group."""


def missing(api: Api) -> tuple[str, ...]:
    """Returns the rights that Norn's credentials lack, each as verb and resource; raises ClusterDown."""
    return tuple(
        f"{verb} {resource}" + (f".{group}" if group else "")
        for (group, resource), verbs in NEEDED.items()
        for verb in verbs
        if not api.may(verb, group, resource)
    )
