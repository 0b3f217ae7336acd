"""Computes the status of apps from their Deployments and pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.looking import generation_of
from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.domain.jobs.app_status import NOT_READY, ReplicaStatus, WorkloadStatus
from norn_tasks.domain.jobs.replica import ReplicaEnd


def statuses(deployments: Iterable[Object], pods: Iterable[Object]) -> tuple[WorkloadStatus, ...]:
    """Returns the status of each app that has a Deployment."""
    by_app: dict[str, list[Object]] = {}
    for pod in pods:
        by_app.setdefault(marks.label_of(pod, marks.APP), []).append(pod)
    return tuple(
        status_of(each, by_app.get(marks.label_of(each, marks.APP), []))
        for each in sorted(deployments, key=lambda each: str(each["metadata"]["name"]))
    )


def status_of(deployment: Object, pods: Iterable[Object]) -> WorkloadStatus:
    """Returns the status of an app. It counts only pods that are ready, are not being removed, and have the current
    template.

    While a job of Norn rolls out a generation, the pods of the live generation count too, because they still serve the
    app.
    """
    wanted = int(deployment["spec"]["replicas"])
    seen = sorted(pods, key=lambda pod: (generation_of(pod), pod["metadata"]["name"]))
    ready = sum(map(serves, seen)) if _rolls(deployment) else _updated(deployment, seen)
    return WorkloadStatus(
        marks.label_of(deployment, marks.APP),
        wanted,
        min(ready, wanted),
        tuple(map(_replica, seen)),
        next((text for pod in seen if (text := trouble(pod))), "") if ready < wanted else "",
        # Kubernetes itself replaces a missing pod, so the number of pods is the number that the Deployment wants.
        (generation_of(deployment["spec"]["template"]),) * wanted,
        ends=tuple(end for pod in seen for end in _ends(pod)),
    )


def trouble(pod: Seen) -> str:
    """Returns why a pod does not run, in the words of Kubernetes; empty if it runs."""
    for each in pod.get("status", {}).get("containerStatuses") or []:
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "ContainerCreating") not in ("ContainerCreating", "PodInitializing"):
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message", ""))))[:300]
    for each in pod.get("status", {}).get("conditions") or []:
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return f"{each.get('reason', '')}: {each.get('message', '')}"[:300]
    return ""


def _rolls(deployment: Seen) -> bool:
    """Returns True while a job rolls out a generation: from its first write until it records that generation as
    live.
    """
    live = marks.number_of(deployment, marks.LIVE)
    return 0 < live < generation_of(deployment["spec"]["template"])


def _updated(deployment: Seen, pods: Iterable[Seen]) -> int:
    """Returns how many pods of the current template serve.

    `kubectl set image` changes the template but not Norn's generation label, so some pods of this generation may have
    an older template. Their number is the number of pods minus the controller's count of updated pods. It is subtracted
    as if all of them served.
    """
    status, current = deployment.get("status") or {}, generation_of(deployment["spec"]["template"])
    mine = [pod for pod in pods if generation_of(pod) == current and not _leaves(pod)]
    ready = sum(map(_ready, mine))
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return max(0, min(ready, int(deployment["spec"]["replicas"]) - 1))
    updated = int(status.get("updatedReplicas", 0))
    older = min(len(mine) - updated, int(status.get("replicas", 0)) - updated)
    return max(0, ready - max(0, older))


def _replica(pod: Object) -> ReplicaStatus:
    containers = pod["status"].get("containerStatuses") or []
    return ReplicaStatus(
        pod["metadata"]["name"],
        _state(pod),
        marks.number_of(pod, marks.RELEASE),
        sum(int(each.get("restartCount", 0)) for each in containers),
        None if _leaves(pod) else _ready(pod),
        trouble(pod),
    )


def _state(pod: Seen) -> str:
    """Returns the state of a pod: its phase, `leaving` if it is being removed, or NOT_READY if it was ready before and
    no longer is.

    In a pod that was never ready, the condition is older than the start of the pod's program.
    """
    if _leaves(pod):
        return "leaving"
    phase = str(pod["status"].get("phase", "")).lower()
    states = [each.get("state") or {} for each in pod["status"].get("containerStatuses") or []]
    began = max((each["running"]["startedAt"] for each in states if "running" in each), default=None)
    lost = [
        each["lastTransitionTime"]
        for each in pod["status"].get("conditions") or []
        if each["type"] == "Ready" and each["status"] == "False"
    ]
    return NOT_READY if phase == "running" and began and lost and lost[0] > began else phase


def _ends(pod: Seen) -> Iterator[ReplicaEnd]:
    """Yields the last end of a pod's program, if Kubernetes has restarted the program or is about to."""
    for each in pod["status"].get("containerStatuses") or []:
        for state in (each.get("lastState") or {}, each.get("state") or {}):
            ended = state.get("terminated")
            if ended and ended.get("finishedAt") and not _leaves(pod):
                yield ReplicaEnd(
                    pod["metadata"]["name"], datetime.fromisoformat(ended["finishedAt"]), int(ended["exitCode"]),
                    ended.get("reason") == "OOMKilled", marks.number_of(pod, marks.RELEASE), generation_of(pod),
                )  # fmt: skip


def _ready(pod: Seen) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _leaves(pod: Seen) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def serves(pod: Seen) -> bool:
    """Returns True if the pod is ready and is not being removed."""
    return _ready(pod) and not _leaves(pod)
