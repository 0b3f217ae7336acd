"""Makes objects as the API serves them: a rollout of version 2 of an app while version 1 serves, and its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)
IMAGE = "registry.example.com/shop@sha256:5d3a"
_OF_DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "uid": "d-1", "controller": True}


def after(seconds: float) -> datetime:
    """Returns the moment this long after the start of the rollout."""
    return START + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    """Returns that moment as the API writes it."""
    return after(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def template(version: int, **spec: Any) -> dict:
    """Returns the pod template of a version."""
    container = {"name": "app", "image": IMAGE, "resources": {}, **spec.pop("container", {})}
    return {
        "metadata": {"labels": {"app": "shop"}, "annotations": {"norn.io/generation": str(version)}},
        "spec": {"containers": [container], "restartPolicy": "Always", **spec},
    }


def deployment(wanted: int | None = 1, *, version: int = 2, spec: dict | None = None, **status: Any) -> dict:
    """Returns the Deployment of version 2, complete unless the status says otherwise."""
    count = 1 if wanted is None else wanted
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
    conditions = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "shop",
            "namespace": "default",
            "uid": "d-1",
            "generation": version,
            "annotations": {"deployment.kubernetes.io/revision": str(version)},
        },
        "spec": {
            **({} if wanted is None else {"replicas": wanted}),
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template(version),
            **(spec or {}),
        },
        "status": {"observedGeneration": version, "conditions": conditions, **counts, **status},
    }


def rolling(**status: Any) -> dict:
    """Returns the Deployment while its one new pod is not ready and the old one still serves."""
    progressing = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"},
    ]
    counts = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1}
    return deployment(**{"conditions": progressing, **counts, **status})


def replica_set(version: int = 2, replicas: int = 1, ready: int = 0, **status: Any) -> dict:
    """Returns the ReplicaSet of a version."""
    made = template(version)
    made["metadata"]["labels"] = {"app": "shop", "pod-template-hash": f"v{version}"}
    counts = {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"shop-v{version}",
            "uid": f"rs-{version}",
            "generation": 1,
            "creationTimestamp": stamp(-100 + 50 * version),
            "annotations": {"deployment.kubernetes.io/revision": str(version)},
            "labels": made["metadata"]["labels"],
            "ownerReferences": [_OF_DEPLOYMENT],
        },
        "spec": {"replicas": replicas, "template": made},
        "status": {"observedGeneration": 1, **counts, **status},
    }


def pod(version: int = 2, *, name: str = "", ready: bool = False, **parts: Any) -> dict:
    """Returns a pod of a version; `state`, `last` and `restarts` are its container's, other parts are merged."""
    container = {
        "name": "app",
        "image": IMAGE,
        "ready": ready,
        "restartCount": parts.pop("restarts", 0),
        "state": parts.pop("state", {"running": {"startedAt": stamp(2)}}),
        "lastState": parts.pop("last", {}),
    }
    name = name or f"shop-v{version}-abcde"
    made = template(version, container=parts.pop("container", {}))
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(0)},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(0)},
    ]
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": [container], **parts.pop("status", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": stamp(0),
            "labels": {"app": "shop", "pod-template-hash": f"v{version}"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"shop-v{version}", "uid": f"rs-{version}"}],
            **parts.pop("metadata", {}),
        },
        "spec": {**made["spec"], "nodeName": "n1", **parts.pop("spec", {})},
        "status": status,
    }


def unscheduled(message: str, *, at: float = 0, reason: str = "Unschedulable", **spec: Any) -> dict:
    """Returns the new pod while the scheduler refuses it."""
    said = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    made = pod(
        status={"phase": "Pending", "containerStatuses": [], "conditions": [{**said, "lastTransitionTime": stamp(at)}]},
        spec=spec,
    )
    del made["spec"]["nodeName"]
    return made


def waiting(reason: str, message: str = "", **parts: Any) -> dict:
    """Returns the new pod while its container waits."""
    return pod(state={"waiting": {"reason": reason, "message": message}}, **parts)


def event(
    reason: str,
    message: str,
    thing: dict | None = None,
    *,
    first: float = 1,
    last: float | None = None,
    count: int = 1,
) -> dict:
    """Returns an event about an object: the new pod unless another is given."""
    about = thing or pod()
    reference = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"].get("uid", "")}
    if about["kind"] == "Pod":
        reference["fieldPath"] = "spec.containers{app}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{reference['name']}.{reason}.{first}"},
        "involvedObject": reference,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": stamp(first),
        "lastTimestamp": stamp(first if last is None else last),
    }


def during(*things: dict) -> list[dict]:
    """Returns the objects of a rollout in which version 1 still serves and version 2 has a ReplicaSet, followed by
    `things`.
    """
    return [rolling(), replica_set(1, ready=1), replica_set(2), pod(1, ready=True), *things]
