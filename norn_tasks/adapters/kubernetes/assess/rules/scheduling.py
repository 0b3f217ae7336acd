"""Finds pods that the scheduler cannot place on any node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from norn_tasks.adapters.kubernetes.assess.messages import brief, read, reading
from norn_tasks.adapters.kubernetes.assess.objects import condition, created, holds, mapping, moment, parts, text
from norn_tasks.adapters.kubernetes.assess.patience import OUTSIDE
from norn_tasks.adapters.kubernetes.assess.pods import SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_PREFIX = re.compile(r"\A.*?nodes are available: ", re.DOTALL)
_REMEDIES = re.compile(r"[.,]* +(?:no new claims to deallocate|still not schedulable|preemption:).*", re.DOTALL)
_COUNTED = re.compile(r"(\d+) (.*)", re.DOTALL)
_MANAGED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_GROWS = ("karpenter.sh/", "cluster-autoscaler.kubernetes.io/", "k8s.io/cluster-autoscaler")

_REASONS = (
    reading(r"Insufficient (?P<resource>\S+)", Cause.INSUFFICIENT, "no node has enough {resource} free{asked}"),
    reading(r"Too many pods", Cause.INSUFFICIENT, "every node runs as many pods as it may"),
    reading(
        r"taint\S* \{?node\.kubernetes\.io/(?P<taint>[a-z]+-pressure)",
        Cause.NODE_PRESSURE,
        "the nodes take no pods: {taint}",
    ),
    reading(
        r"taint\S* \{?node\.kubernetes\.io/(?P<taint>not-ready|unreachable)",
        Cause.NODE_NOT_READY,
        "the nodes take no pods: {taint}",
    ),
    reading(
        r"were unschedulable|node\.kubernetes\.io/unschedulable",
        Cause.UNSCHEDULABLE,
        "the nodes are closed for new pods (cordoned)",
    ),
    reading(
        r"taint\S* \{(?P<taint>[^}]*?):? *\}",
        Cause.TAINT,
        'the nodes have the taint "{taint}", which the pod does not tolerate',
    ),
    reading(r"untolerated taint", Cause.TAINT, "the nodes have taints that the pod does not tolerate"),
    reading(
        r"node selector|node affinity/selector|node\(s\) didn't match Pod's node affinity",
        Cause.NO_SUCH_NODE,
        "no node has the labels that the pod asks for{selector}",
    ),
    reading(
        r"(?:anti-)?affinity|topology spread",
        Cause.AFFINITY,
        "no node fits the rules of affinity and spread: {said}",
    ),
    reading(r"free ports", Cause.PORT_TAKEN, "the host port of the pod is in use on every node"),
    reading(
        r'persistentvolumeclaim "(?P<claim>[^"]+)" not found',
        Cause.CLAIM_MISSING,
        'the claim "{claim}" of the pod does not exist',
    ),
    reading(
        r"unbound immediate PersistentVolumeClaims",
        Cause.CLAIM_PROVISIONING,
        "a claim of the pod has no volume yet{claims}",
    ),
    reading(r"", Cause.UNSCHEDULABLE, "no node takes the pod: {said}"),
)
"""Reasons that the scheduler gives; each is about some of the nodes."""


def unscheduled_pods(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the new pods that the scheduler cannot place."""
    for pod in seen.unready:
        if pod.scheduled:
            continue
        found = condition(pod.thing, "PodScheduled")
        if text(found, "reason") == "SchedulingGated":
            yield RolloutTrouble(
                Cause.SCHEDULING_GATED,
                f'pod "{pod.name}" is held by a scheduling gate',
                pod.name,
                reason=text(found, "reason"),
            )
        elif message := _message(pod):
            yield _of(seen, pod, message)


def _message(pod: SeenPod) -> str:
    """Returns why the scheduler refused the pod: from the pod's condition or, if it has none yet, from an event after
    its creation.
    """
    found = condition(pod.thing, "PodScheduled")
    if holds(found, False):
        return text(found, "message") or text(found, "reason")
    events = [each for each in pod.said("FailedScheduling") if each.not_before(created(pod.thing))]
    return events[-1].message if events else ""


def _of(seen: SeenRollout, pod: SeenPod, message: str) -> RolloutTrouble:
    cause, sentence = _cause(pod, message)
    found = condition(pod.thing, "PodScheduled")
    since = moment(found, "lastTransitionTime") or created(pod.thing)
    scaling = pod.said("TriggeredScaleUp", "Nominated")
    if scaling and cause not in (Cause.CLAIM_MISSING, Cause.CLAIM_PROVISIONING):
        waits = f"{sentence}; an autoscaler adds a node"
        return RolloutTrouble(Cause.AWAITING_NODE, waits, pod.name, scaling[0].first or since, reason="Unschedulable")
    return RolloutTrouble(
        cause, sentence, pod.name, since, reason="Unschedulable", patience=_patience(seen, pod, cause)
    )


def _patience(seen: SeenRollout, pod: SeenPod, cause: Cause) -> timedelta | None:
    """Returns a longer time limit if an autoscaler manages the nodes and has not reported that it cannot help;
    otherwise None.
    """
    if cause != Cause.INSUFFICIENT or pod.said("NotTriggerScaleUp"):
        return None
    return OUTSIDE if any(_grows(node) for node in seen.nodes.values()) else None


def _grows(node: object) -> bool:
    named = (*mapping(node, "metadata", "labels"), *mapping(node, "metadata", "annotations"))
    return any(name.startswith(_GROWS) for name in named if isinstance(name, str))


def _cause(pod: SeenPod, message: str) -> tuple[Cause, str]:
    """Returns the cause that excludes the most nodes; nodes that are reserved for other pods count less."""
    reasons = _REMEDIES.sub("", _PREFIX.sub("", message)).rstrip(". ")
    counted = [_counted(each) for each in re.split(r", (?=\d+ )", reasons)]
    _, said = max(counted, key=lambda each: (_rank(each[1]), each[0]))
    resource = found[1] if (found := re.search(r"Insufficient (\S+)", said)) else ""
    names = {"asked": _asked(pod, resource), "selector": _selector(pod), "claims": _claims(pod), "said": brief(said)}
    return read(said, _REASONS, **names) or (Cause.UNSCHEDULABLE, f"no node takes the pod: {brief(message)}")


def _rank(said: str) -> int:
    """Returns the weight of a reason: low if a taint reserves the nodes for other pods, 0 for control plane nodes."""
    if any(name in said for name in _MANAGED):
        return 0
    return 1 if " taint" in said and "node.kubernetes.io/" not in said else 2


def _counted(reason: str) -> tuple[int, str]:
    found = _COUNTED.fullmatch(reason)
    return (int(found[1]), found[2]) if found else (1, reason)


def _asked(pod: SeenPod, resource: str) -> str:
    """Returns how much of a resource the containers ask for."""
    asked = [text(each, "resources", "requests", resource) for each in parts(pod.thing, "spec", "containers")]
    found = [each for each in asked if each]
    return f" (the pod asks for {' + '.join(found)})" if found else ""


def _selector(pod: SeenPod) -> str:
    wanted = mapping(pod.thing, "spec", "nodeSelector")
    return f" ({', '.join(f'{key}={value}' for key, value in wanted.items())})" if wanted else ""


def _claims(pod: SeenPod) -> str:
    volumes = parts(pod.thing, "spec", "volumes")
    names = [text(each, "persistentVolumeClaim", "claimName") for each in volumes]
    found = [f'"{name}"' for name in names if name]
    return f" ({', '.join(found)})" if found else ""
