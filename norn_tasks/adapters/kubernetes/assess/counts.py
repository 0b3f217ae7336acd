"""Decides whether a rollout is complete: every pod is new, ready and available, and no old pod is left."""

from __future__ import annotations

from norn_tasks.adapters.kubernetes.assess.objects import at, condition, deleted, holds, number, observed, text
from norn_tasks.adapters.kubernetes.assess.pods import SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble


def unread(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns why the status allows no verdict yet (the object is being deleted, is paused, or the controller has not
    read its spec); None if it allows one.
    """
    if seen.subject is None:
        return None
    name, kind = text(seen.subject, "metadata", "name"), text(seen.subject, "kind")
    if deleted(seen.subject):
        return RolloutTrouble(Cause.BEING_DELETED, f'the {kind} "{name}" is being deleted')
    if at(seen.subject, "spec", "paused") is True:
        return RolloutTrouble(Cause.PAUSED, f'the {kind} "{name}" is paused, so nothing is rolled out')
    if not observed(seen.subject):
        return RolloutTrouble(
            Cause.NOT_OBSERVED, f'the controller has not yet seen the new spec of the {kind} "{name}"'
        )
    return None


def lacking(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns the first condition that a rollout does not meet yet; None if it is complete."""
    if seen.subject is None:
        return _of_pods(seen)
    by_counts = _of_deployment(seen) if seen.is_deployment else _of_set(seen)
    return by_counts or _of_pods(seen)


def _of_deployment(seen: SeenRollout) -> RolloutTrouble | None:
    wanted = seen.wanted
    replicas, updated, ready, available = (
        number(seen.subject, "status", name)
        for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    )
    if updated < wanted:
        return RolloutTrouble(Cause.STARTING, f"{updated} of {wanted} new pods exist")
    if seen.unready:
        return _unready(seen, sum(pod.ready for pod in seen.pods))
    if replicas > updated:
        return RolloutTrouble(Cause.OLD_PODS, f"{_pods(replicas - updated)} of an older version still there")
    if replicas > wanted:
        return RolloutTrouble(Cause.OLD_PODS, f"{_pods(replicas - wanted)} more than wanted still there")
    return _ready(seen, ready, available) or _conditions(seen) or _sets(seen)


def _of_set(seen: SeenRollout) -> RolloutTrouble | None:
    replicas = number(seen.subject, "status", "replicas")
    if replicas < seen.wanted:
        return RolloutTrouble(Cause.STARTING, f"{replicas} of {seen.wanted} pods exist")
    if replicas > seen.wanted:
        return RolloutTrouble(Cause.OLD_PODS, f"{_pods(replicas - seen.wanted)} more than wanted still there")
    return _ready(
        seen, number(seen.subject, "status", "readyReplicas"), number(seen.subject, "status", "availableReplicas")
    )


def _ready(seen: SeenRollout, ready: int, available: int) -> RolloutTrouble | None:
    if ready < seen.wanted:
        return _unready(seen, ready)
    if available < seen.wanted:
        seconds = number(seen.subject, "spec", "minReadySeconds")
        return RolloutTrouble(Cause.MIN_READY, f"{available} of {seen.wanted} pods have been ready for {seconds} s")
    return None


def _unready(seen: SeenRollout, ready: int) -> RolloutTrouble:
    for pod in seen.unready:
        if _at_gate(pod):
            return RolloutTrouble(Cause.READINESS_GATE, f'pod "{pod.name}" waits for a readiness gate', pod=pod.name)
    first = next((pod.name for pod in seen.unready), None)
    return RolloutTrouble(Cause.NOT_READY, f"{ready} of {seen.wanted} new pods are ready", pod=first)


def _at_gate(pod: SeenPod) -> bool:
    return holds(condition(pod.thing, "ContainersReady"), True) and bool(at(pod.thing, "spec", "readinessGates"))


def _conditions(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns a trouble if a condition contradicts the counts."""
    for kind in ("Available", "Progressing"):
        found = condition(seen.subject, kind)
        if found and not holds(found, True):
            why = text(found, "message") or text(found, "reason")
            return RolloutTrouble(Cause.NOT_READY, f"the condition {kind} is {text(found, 'status')}: {why}")
    return None


def _sets(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns a trouble if the ReplicaSets contradict the counts."""
    if seen.sets and seen.new is None:
        return RolloutTrouble(Cause.NOT_OBSERVED, "the ReplicaSet of the new version does not exist yet")
    left = sum(number(each, "status", "replicas") for each in seen.old)
    if left:
        return RolloutTrouble(Cause.OLD_PODS, f"{_pods(left)} of an older version still there")
    if at(seen.new, "status") and number(seen.new, "status", "availableReplicas") < seen.wanted:
        return _unready(seen, number(seen.new, "status", "readyReplicas"))
    return None


def _of_pods(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns a trouble if the pods contradict the counts, or if only pods are known and some are not ready."""
    if seen.old_pods:
        return RolloutTrouble(
            Cause.OLD_PODS, f"{_pods(len(seen.old_pods))} of an older version still there", pod=seen.old_pods[0].name
        )
    if not seen.gives_pods:
        leaving = number(seen.subject, "status", "terminatingReplicas")
        return RolloutTrouble(Cause.OLD_PODS, f"{_pods(leaving)} still being stopped") if leaving else None
    finished = sum(pod.phase == "Succeeded" for pod in seen.pods) if seen.subject is None else 0
    ready = finished + sum(pod.ready and pod.lives and _runs_on(seen, pod) for pod in seen.pods)
    return _unready(seen, ready) if ready < seen.wanted else None


def _runs_on(seen: SeenRollout, pod: SeenPod) -> bool:
    """Returns False for a pod that is meant to end and has no owner. Such a pod is complete when it has ended."""
    return seen.subject is not None or text(pod.thing, "spec", "restartPolicy") in ("", "Always")


def _pods(count: int) -> str:
    return "1 pod is" if count == 1 else f"{count} pods are"
