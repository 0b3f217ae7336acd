"""Builds the Job of a run, and the Secret with the values of its secrets.

The Job is created with a parallelism of 0, so that it starts no pod. After Norn has recorded the Job, it sets the
parallelism to 1. The pod does not have the labels by which a Deployment or a Service finds the app's replicas.
"""

from __future__ import annotations

import math

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects import pause
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER, VOLUME_GROUP, environment, literal, resources
from norn_tasks.adapters.kubernetes.objects.reference import reference
from norn_tasks.adapters.kubernetes.objects.secret import encoded, login_name
from norn_tasks.adapters.kubernetes.site import Object, Seen, Site
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run

_ONE_HOUR = 3600
_SCRATCH = "scratch"


def run_job(name: str, run: Run, site: Site, fence: Fence) -> Object:
    """Returns the Job of a run; raises RegistryFailed if no node can pull its image."""
    notes = {marks.OWNER: run.owner, marks.JOB: str(fence.job), marks.FENCE: str(fence.token)}
    labels = {**marks.labels(run.app, site.instance), marks.RUN: run.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": site.namespace, "labels": labels, "annotations": notes},
        "spec": {
            "parallelism": 0,
            "completions": 1,
            # Kubernetes must not start the code a second time.
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {marks.MANAGED: marks.NORN, marks.RUN: run.name}},
                "spec": _pod(name, run, site),
            },
        },
    }


def run_secret(job: Seen, run: Run, site: Site) -> Object:
    """Returns the Secret of a run, which Kubernetes removes together with the Job."""
    return {
        **_beside(job, run, site),
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "data": {name: encoded(value.reveal()) for name, value in sorted(run.secrets.items())},
    }


def run_program(job: Seen, run: Run, site: Site) -> Object:
    """Returns the ConfigMap with the program that waits in the container of a run whose client is connected."""
    made = _beside(job, run, site)
    return {**made, "kind": "ConfigMap", "immutable": True, "binaryData": pause.binary(_longest(run))}


def waits(run: Run, site: Site) -> bool:
    """Returns True if the container of the run needs Norn's program to wait."""
    return run.client is not None and pause.has_binary(site)


def _beside(job: Seen, run: Run, site: Site) -> Object:
    """Returns an object of the run that Kubernetes removes together with the Job; it has no kind yet."""
    metadata = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": site.namespace,
            "labels": {marks.MANAGED: marks.NORN, marks.RUN: run.name},
            "ownerReferences": [owner],
        },
    }


def _longest(run: Run) -> int:
    """Returns the seconds after which a run that Norn has lost ends; before that, Norn enforces the timeout itself."""
    return math.ceil(run.timeout + run.grace) + _ONE_HOUR


def _pod(name: str, run: Run, site: Site) -> Object:
    rights: Object = {"seccompProfile": {"type": "RuntimeDefault"}}
    if run.mounts:
        rights |= {"fsGroup": VOLUME_GROUP, "fsGroupChangePolicy": "OnRootMismatch"}
    claims = [{"name": each.source, "persistentVolumeClaim": {"claimName": each.source}} for each in run.mounts]
    scratch = [] if run.writable else [{"name": _SCRATCH, "emptyDir": {"sizeLimit": str(run.memory)}}]
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": max(1, math.ceil(run.grace)),
        "activeDeadlineSeconds": _longest(run),
        "securityContext": rights,
        "affinity": _beside_the_app(run, site) if run.mounts else {},
        "containers": [_container(name, run, site)],
        "volumes": [*claims, *scratch, *([pause.volume(name)] if waits(run, site) else [])],
        "imagePullSecrets": [{"name": login_name(run.app)}] if site.registry_login else [],
    }
    return {key: value for key, value in pod.items() if value not in ([], {})}


def _container(name: str, run: Run, site: Site) -> Object:
    mounts: list[Object] = [{"name": each.source, "mountPath": each.target} for each in run.mounts]
    mounts += [pause.mount()] if waits(run, site) else []
    made: Object = {
        "name": CONTAINER,
        "image": reference(site, run, f"the live release of {run.app}"),
        "imagePullPolicy": "Never" if site.loaded else "IfNotPresent",
        "env": environment(run.env, run.secrets, name),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": not run.writable,
        },
        "resources": resources(run.memory, run.cpus),
        "volumeMounts": mounts if run.writable else [*mounts, {"name": _SCRATCH, "mountPath": "/tmp"}],  # noqa: S108 - a path inside the container
    }
    if run.client is not None:
        made["command"] = pause.command(site, _longest(run))
    elif run.argv is not None:
        made["command"] = [literal(word) for word in run.argv]
    return {key: value for key, value in made.items() if value not in ([], {})}


def _beside_the_app(run: Run, site: Site) -> Object:
    """Returns the preference for a node that runs a pod of the app, because a volume can be on only one node at
    a time.
    """
    term = {
        "labelSelector": {"matchLabels": marks.selected(run.app, site.instance)},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = {"weight": 100, "podAffinityTerm": term}
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
