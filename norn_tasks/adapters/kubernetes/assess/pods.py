"""A pod in the form that the rules read: its conditions, its events, and its containers, which include init containers
and sidecars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.objects import (
    KubeObject,
    at,
    condition,
    created,
    deleted,
    holds,
    mapping,
    moment,
    name_of,
    number,
    parts,
    text,
)

ENDED = ("Succeeded", "Failed")
"""The phases of a pod that will never run again."""
_STEPS = ("SuccessfulAttachVolume", "Pulling", "Pulled", "Created", "Started")
"""The reasons of events that show that the node makes progress with the pod."""


@dataclass(frozen=True)
class PodContainer:
    """A container of a pod: its spec, and its state if the node has reported one."""

    kind: str
    """`container`, `init container` or `sidecar`."""
    spec: KubeObject
    """The container's part of the pod's spec."""
    status: KubeObject
    """The container's part of the pod's status; empty before the node has reported it."""
    named: bool
    """True if sentences must name the container, because the pod has others like it, or because it is an init container
    or a sidecar.
    """

    @property
    def name(self) -> str:
        """Returns the container's name."""
        return text(self.spec, "name") or text(self.status, "name")

    @property
    def image(self) -> str:
        """Returns the container's image, as named in the spec."""
        return text(self.spec, "image") or text(self.status, "image")

    @property
    def label(self) -> str:
        """Returns the words with which a sentence names the container."""
        return f'the {self.kind} "{self.name}"' if self.named else "the container"

    @property
    def waiting(self) -> str:
        """Returns the reason for which the container waits; empty if it does not wait."""
        return text(self.status, "state", "waiting", "reason")

    @property
    def waiting_message(self) -> str:
        """Returns the message that belongs to that reason."""
        return text(self.status, "state", "waiting", "message")

    @property
    def running(self) -> KubeObject | None:
        """Returns the container's running state; None if it does not run."""
        found = at(self.status, "state", "running")
        return found if isinstance(found, Mapping) else None

    @property
    def running_since(self) -> datetime | None:
        """Returns when the container was started; None if it does not run."""
        return moment(self.running, "startedAt")

    @property
    def ended_now(self) -> bool:
        """Returns True if the container has ended and has not been started again."""
        return bool(mapping(self.status, "state", "terminated"))

    @property
    def end(self) -> KubeObject:
        """Returns the container's last end; empty if it never ended."""
        return mapping(self.status, "state", "terminated") or mapping(self.status, "lastState", "terminated")

    @property
    def ends(self) -> int:
        """Returns how often the container has ended."""
        return number(self.status, "restartCount") + self.ended_now

    @property
    def well(self) -> bool:
        """Returns True if the container is ready. An init container must have ended with exit code 0."""
        if self.kind == "init container":
            return self.ended_now and number(self.end, "exitCode", default=-1) == 0
        return self.status.get("ready") is True


@dataclass(frozen=True)
class SeenPod:
    """A pod with its events."""

    thing: KubeObject
    """The pod as Kubernetes describes it."""
    events: tuple[SeenEvent, ...] = ()
    """The events about the pod, oldest first."""

    @property
    def name(self) -> str:
        """Returns the pod's name."""
        return name_of(self.thing)

    @property
    def phase(self) -> str:
        """Returns the pod's phase."""
        return text(self.thing, "status", "phase")

    @property
    def node(self) -> str:
        """Returns the name of the pod's node; empty before the pod is scheduled."""
        return text(self.thing, "spec", "nodeName")

    @property
    def lives(self) -> bool:
        """Returns True unless the pod has ended or is being deleted."""
        return self.phase not in ENDED and not deleted(self.thing)

    @property
    def gone_at(self) -> datetime | None:
        """Returns when a pod that is being deleted should no longer exist, that is at the end of its grace period; None
        for other pods.
        """
        return moment(self.thing, "metadata", "deletionTimestamp")

    @property
    def ready(self) -> bool:
        """Returns True if Kubernetes counts the pod as ready, which includes its readiness gates."""
        return holds(condition(self.thing, "Ready"), True)

    @property
    def scheduled(self) -> bool:
        """Returns True if the pod has a node."""
        return bool(self.node) or holds(condition(self.thing, "PodScheduled"), True)

    @property
    def since(self) -> datetime | None:
        """Returns when the pod was scheduled; if that is unknown, when it was created."""
        at_node = condition(self.thing, "PodScheduled")
        return (moment(at_node, "lastTransitionTime") if holds(at_node, True) else None) or created(self.thing)

    @cached_property
    def containers(self) -> tuple[PodContainer, ...]:
        """Returns the pod's containers: the init containers first, because the node starts them first."""
        return (*self._of("initContainers", "initContainerStatuses"), *self._of("containers", "containerStatuses"))

    def said(self, *reasons: str) -> list[SeenEvent]:
        """Returns the pod's events that have one of these reasons, oldest first."""
        return [event for event in self.events if event.reason in reasons]

    @cached_property
    def stepped(self) -> datetime | None:
        """Returns when the node last made progress with the pod, according to the events; None if it never did."""
        return max((event.last for event in self.said(*_STEPS) if event.last), default=None)

    def unsolved(self, *reasons: str) -> list[SeenEvent]:
        """Returns the pod's events that have one of these reasons and came after the node last made progress, oldest
        first.
        """
        step = self.stepped
        return [event for event in self.said(*reasons) if step is None or event.last is None or event.last > step]

    def trouble_since(self, events: Iterable[SeenEvent]) -> datetime | None:
        """Returns when the trouble in these events began, but no earlier than the node's last progress with the pod."""
        first = min((event.first for event in events if event.first), default=self.since)
        return max(filter(None, (first, self.stepped)), default=None)

    def _of(self, specs: str, statuses: str) -> Iterator[PodContainer]:
        states = {text(each, "name"): each for each in parts(self.thing, "status", statuses)}
        known = {text(each, "name"): each for each in parts(self.thing, "spec", specs)}
        for name in dict.fromkeys((*known, *states)):
            spec = known.get(name, {})
            kind = "container"
            if specs == "initContainers":
                kind = "sidecar" if text(spec, "restartPolicy") == "Always" else "init container"
            named = kind != "container" or len({*known, *states}) > 1
            yield PodContainer(kind, spec, states.get(name, {}), named)
