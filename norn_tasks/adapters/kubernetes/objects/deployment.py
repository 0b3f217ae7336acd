"""Builds the Deployment of an app, and the PodDisruptionBudget of an app with several replicas."""

from __future__ import annotations

import math

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects.pause import LEAVING
from norn_tasks.adapters.kubernetes.objects.probes import patience, stays_up
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Workload

KEPT = 10
"""The number of old ReplicaSets that Kubernetes keeps. A release is restored unchanged from the template in its
ReplicaSet.
"""
_SLACK = 60
"""Seconds for scheduling and pulling, in addition to the time that the app may take."""


def deployment(workload: Workload, template: Object, site: Site, fence: Fence, ending: int = 0) -> Object:
    """Returns the Deployment that runs the template; `ending`: the seconds that its present pods may take to end."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(workload.app, workload, site, fence),
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": marks.selected(workload.app, site.instance)},
            "strategy": _strategy(workload),
            "minReadySeconds": stays_up(workload, site),
            "progressDeadlineSeconds": deadline(workload, site, ending),
            "revisionHistoryLimit": KEPT,
            "template": template,
        },
    }


def budget(workload: Workload, site: Site, fence: Fence) -> Object:
    """Returns the PodDisruptionBudget, which allows a node that is drained to stop only one replica at a time."""
    chosen = {"matchLabels": marks.selected(workload.app, site.instance)}
    return {
        "apiVersion": site.version.budget_group,
        "kind": "PodDisruptionBudget",
        "metadata": metadata(workload.app, workload, site, fence),
        "spec": {"maxUnavailable": 1, "selector": chosen},
    }


def deadline(workload: Workload, site: Site, ending: int = 0) -> int:
    """Returns the seconds without progress after which a rollout has failed.

    While a pod ends, there is no progress. A pod may take `stopGrace` seconds to end, or `ending` if the present pods
    have more time.
    """
    starting = patience(workload, site) + stays_up(workload, site)
    return math.ceil(starting + max(workload.stop_grace + LEAVING, ending) + _SLACK)


def metadata(name: str, workload: Workload, site: Site, fence: Fence) -> Object:
    """Returns the metadata of an object that is written for the workload."""
    return {
        "name": name,
        "namespace": site.namespace,
        "labels": marks.labels(workload.app, site.instance),
        "annotations": marks.notes(workload.app, workload.release, workload.generation, fence),
    }


def _strategy(workload: Workload) -> Object:
    """Returns the strategy. With volume claims, old pods must end before new ones start, because only one pod at a time
    can mount a claim.
    """
    if workload.recreate or workload.mounts:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
