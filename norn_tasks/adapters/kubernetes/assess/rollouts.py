"""Groups the objects of one rollout: which ReplicaSet is the new one, and which pods belong to it or to older ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.objects import (
    KubeObject,
    at,
    created,
    mapping,
    name_of,
    number,
    parts,
    text,
    uid_of,
)
from norn_tasks.adapters.kubernetes.assess.pods import ENDED, SeenPod
from norn_tasks.adapters.kubernetes.assess.verdicts import NotAssessable

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_LOST = timedelta(seconds=60)
"""How long after its grace period a pod that is being deleted still counts."""
_EARLY = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SeenRollout:
    """A Deployment (or a ReplicaSet or pods that have no Deployment), together with all objects that were read
    with it.
    """

    subject: KubeObject | None
    """The Deployment; without one, the ReplicaSet; None if there are only pods."""
    things: tuple[KubeObject, ...]
    """All objects."""
    now: datetime
    """The time at which the objects were read."""

    @property
    def is_deployment(self) -> bool:
        """Returns true if the subject is a Deployment."""
        return text(self.subject, "kind") == "Deployment"

    @property
    def wanted(self) -> int:
        """Returns how many pods should run: one if the spec gives no number, and all of them if only pods are known."""
        return number(self.subject, "spec", "replicas", default=1) if self.subject is not None else len(self.pods)

    @cached_property
    def sets(self) -> tuple[KubeObject, ...]:
        """Returns the ReplicaSets of the Deployment, the oldest first."""
        if not self.is_deployment:
            return ()
        return tuple(each for each in sorted(self._of_kind("ReplicaSet"), key=_age) if _belongs(each, self.subject))

    @cached_property
    def new(self) -> KubeObject | None:
        """Returns the ReplicaSet of the current pod template; None if it does not exist yet."""
        if not self.is_deployment:
            return self.subject
        wanted = _template(self.subject)
        same = [each for each in self.sets if wanted and _template(each) == wanted]
        revision = _revision(self.subject)
        numbered = [each for each in self.sets if revision and _revision(each) == revision]
        if same or numbered:
            return (same or numbered)[0]
        plain = not wanted or not revision
        return max(self.sets, key=lambda each: (_revision(each), _age(each)), default=None) if plain else None

    @cached_property
    def old(self) -> tuple[KubeObject, ...]:
        """Returns the other ReplicaSets of the Deployment."""
        return tuple(each for each in self.sets if each is not self.new)

    @cached_property
    def pods(self) -> tuple[SeenPod, ...]:
        """Returns the pods of the new ReplicaSet."""
        return tuple(pod for pod in self._all_pods if self._is_new(pod))

    @cached_property
    def old_pods(self) -> tuple[SeenPod, ...]:
        """Returns the pods that belong to older ReplicaSets and have not ended, including those that are being deleted.

        A pod that should have disappeared long ago is left out, because its node is lost and may not come back.
        """
        old = (pod for pod in self._all_pods if not self._is_new(pod) and pod.phase not in ENDED)
        return tuple(pod for pod in old if pod.gone_at is None or self.now - pod.gone_at <= _LOST)

    @property
    def gives_pods(self) -> bool:
        """Returns true if pods of this rollout were among the objects."""
        return bool(self._all_pods)

    @property
    def unready(self) -> list[SeenPod]:
        """Returns the new pods that live and are not ready."""
        return [pod for pod in self.pods if pod.lives and not pod.ready]

    @cached_property
    def nodes(self) -> Mapping[str, KubeObject]:
        """Returns the nodes by name."""
        return {name_of(node): node for node in self._of_kind("Node")}

    @cached_property
    def claims(self) -> Mapping[str, KubeObject]:
        """Returns the volume claims by name."""
        return {name_of(claim): claim for claim in self._of_kind("PersistentVolumeClaim")}

    @cached_property
    def events(self) -> tuple[SeenEvent, ...]:
        """Returns all events, sorted by the time at which they last happened."""
        return tuple(sorted(map(SeenEvent, self._of_kind("Event")), key=lambda event: event.last or _EARLY))

    def events_of(self, thing: KubeObject) -> tuple[SeenEvent, ...]:
        """Returns the events about an object."""
        return tuple(event for event in self.events if event.concerns(thing))

    @cached_property
    def _all_pods(self) -> tuple[SeenPod, ...]:
        mine = [pod for pod in self._of_kind("Pod") if self._is_mine(pod)]
        return tuple(SeenPod(pod, self.events_of(pod)) for pod in mine)

    def _is_mine(self, pod: KubeObject) -> bool:
        if self.subject is None:
            return True
        sets = (*self.sets, *(() if self.is_deployment else (self.subject,)))
        if any(_belongs(pod, each) for each in sets):
            return True
        owner = _owner(pod, "ReplicaSet")
        by_hash = owner.removesuffix(_label(pod, _HASH)).removesuffix("-") == name_of(self.subject) and bool(owner)
        return self.is_deployment and (by_hash or (not owner and _selected(pod, self.subject)))

    def _is_new(self, pod: SeenPod) -> bool:
        if self.new is not None:
            return _belongs(pod.thing, self.new)
        return self.subject is None or (not self.sets and _label(pod.thing, _HASH) == self._newest_hash)

    @cached_property
    def _newest_hash(self) -> str:
        newest = max(self._all_pods, key=lambda pod: _age(pod.thing), default=None)
        return _label(newest.thing, _HASH) if newest else ""

    def _of_kind(self, kind: str) -> Iterable[KubeObject]:
        return (each for each in self.things if text(each, "kind") == kind)


def rollout_of(objects: Sequence[KubeObject], now: datetime) -> SeenRollout:
    """Returns the rollout to which these objects belong; raises NotAssessable if they show no rollout, or more than
    one.
    """
    for kind in ("Deployment", "ReplicaSet"):
        found = [each for each in objects if text(each, "kind") == kind]
        if len(found) > 1 and kind == "Deployment":
            raise NotAssessable(f"there are {len(found)} Deployments ({_names(found)}): give the objects of one")
        if len(found) > 1:
            raise NotAssessable(f"there are {len(found)} ReplicaSets ({_names(found)}) and no Deployment")
        if found:
            return SeenRollout(found[0], tuple(objects), now)
    if not any(text(each, "kind") == "Pod" for each in objects):
        raise NotAssessable("there is no Deployment among the objects, and no ReplicaSet or Pod")
    return SeenRollout(None, tuple(objects), now)


def _names(things: Iterable[KubeObject]) -> str:
    return ", ".join(name_of(each) for each in things)


def _age(thing: KubeObject) -> datetime:
    return created(thing) or _EARLY


def _revision(thing: object) -> int:
    return number(thing, "metadata", "annotations", _REVISION)


def _label(thing: object, name: str) -> str:
    return text(thing, "metadata", "labels", name)


def _owner(thing: KubeObject, kind: str) -> str:
    owners = parts(thing, "metadata", "ownerReferences")
    return next((text(each, "name") for each in owners if text(each, "kind") == kind), "")


def _belongs(thing: KubeObject, owner: KubeObject | None) -> bool:
    """Returns True if `owner` owns `thing`: compares uids; if they are missing, kinds and names; if `thing` names no
    owner, labels.
    """
    owners = parts(thing, "metadata", "ownerReferences")
    for each in owners:
        if text(each, "uid") and uid_of(owner):
            if text(each, "uid") == uid_of(owner):
                return True
        elif text(each, "kind") == text(owner, "kind") and text(each, "name") == name_of(owner):
            return True
    return not owners and _selected(thing, owner)


def _selected(thing: KubeObject, owner: KubeObject | None) -> bool:
    """Returns True if the owner has a selector that matches the labels of the thing."""
    wanted = mapping(owner, "spec", "selector", "matchLabels")
    labels = mapping(thing, "metadata", "labels") or mapping(thing, "spec", "template", "metadata", "labels")
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _template(thing: object) -> Any:
    """Returns the pod template of a Deployment or ReplicaSet without the hash, which only ReplicaSets contain."""
    found = at(thing, "spec", "template")
    if not isinstance(found, Mapping):
        return None
    labels = {key: value for key, value in mapping(found, "metadata", "labels").items() if key != _HASH}
    return {
        "labels": labels,
        "annotations": dict(mapping(found, "metadata", "annotations")),
        "spec": found.get("spec"),
    }
