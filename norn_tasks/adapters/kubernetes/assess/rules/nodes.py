"""Finds nodes that are lost, or that evict or refuse pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from norn_tasks.adapters.kubernetes.assess.messages import brief
from norn_tasks.adapters.kubernetes.assess.objects import condition, holds, moment, parts, text
from norn_tasks.adapters.kubernetes.assess.pods import SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

EVICTIONS = 3
"""When nodes have evicted or refused this many pods of a rollout, it has failed, even if another pod is starting."""


def node_trouble(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the nodes that keep new pods from running."""
    for pod in seen.unready:
        yield from _unready_node(seen, pod)
        yield from _no_sandbox(pod)
    yield from _turned_away(seen)


def _unready_node(seen: SeenRollout, pod: SeenPod) -> Iterator[RolloutTrouble]:
    ready = condition(seen.nodes.get(pod.node, {}), "Ready")
    if ready and not holds(ready, True):
        said = text(ready, "message") or text(ready, "reason")
        sentence = f'the node "{pod.node}" is not ready: {brief(said)}'
        yield RolloutTrouble(
            Cause.NODE_NOT_READY, sentence, pod.name, moment(ready, "lastTransitionTime"), reason="NotReady"
        )


def _no_sandbox(pod: SeenPod) -> Iterator[RolloutTrouble]:
    events = pod.unsolved("FailedCreatePodSandBox", "NetworkNotReady")
    if events and all(not each.end and each.running is None for each in pod.containers):
        sentence = f'the node "{pod.node}" cannot set up the pod: {brief(events[-1].message)}'
        yield RolloutTrouble(Cause.SANDBOX, sentence, pod.name, pod.trouble_since(events), reason=events[-1].reason)


def _turned_away(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields evictions and refusals. While another pod is starting, only repeated ones count."""
    failed = [pod for pod in seen.pods if pod.phase == "Failed" and text(pod.thing, "status", "reason")]
    counted = Counter(text(pod.thing, "status", "reason") for pod in failed)
    replaced = any(pod.lives for pod in seen.pods)
    for pod in reversed(failed):
        reason = text(pod.thing, "status", "reason")
        sentence = (
            f'the node "{pod.node}" {_did(reason)} a pod: {brief(text(pod.thing, "status", "message") or reason)}'
        )
        cause = Cause.EVICTED if reason == "Evicted" else Cause.NODE_REFUSED
        passing = replaced and counted[reason] < EVICTIONS
        yield RolloutTrouble(cause, sentence, pod.name, _since(pod), passing, reason=reason)


def _did(reason: str) -> str:
    return "evicted" if reason == "Evicted" else "refused"


def _since(pod: SeenPod) -> datetime | None:
    times = [moment(each, "lastTransitionTime") for each in parts(pod.thing, "status", "conditions")]
    return max((each for each in times if each), default=pod.since)
