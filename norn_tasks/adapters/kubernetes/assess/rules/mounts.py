"""Finds volumes that a node cannot mount, so that it starts no container of the pod."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.messages import brief, read
from norn_tasks.adapters.kubernetes.assess.patience import DETACHING, MOMENT
from norn_tasks.adapters.kubernetes.assess.pods import SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.rules.configuration import CONFIGURATION
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_STARTING = ("", "ContainerCreating", "PodInitializing")


def missing_mounts(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the mounts that are missing in new pods: a secret or ConfigMap that does not exist, or a volume that is
    not attached.
    """
    for pod in seen.unready:
        events = pod.unsolved("FailedMount", "FailedAttachVolume")
        if events and pod.scheduled and all(_waits(pod)):
            yield _of(pod, events)


def _waits(pod: SeenPod) -> Iterator[bool]:
    for each in pod.containers:
        yield not each.end and each.running is None and each.waiting in _STARTING


def _of(pod: SeenPod, events: list[SeenEvent]) -> RolloutTrouble:
    since = pod.trouble_since(events)
    for event in reversed(events):
        if found := read(event.message, CONFIGURATION, container="the pod", image=""):
            return RolloutTrouble(*found, pod=pod.name, since=since, reason=event.reason, patience=MOMENT)
    sentence = f"the node cannot mount the volumes of the pod: {brief(events[-1].message)}"
    elsewhere = any("Multi-Attach" in each.message for each in events)
    patience = DETACHING if elsewhere else None
    return RolloutTrouble(
        Cause.VOLUME_NOT_MOUNTED, sentence, pod.name, since, reason=events[-1].reason, patience=patience
    )
