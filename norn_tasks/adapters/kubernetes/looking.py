"""Looks at an app in the cluster: its Deployment, and all objects that show how a rollout of it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.adapters.processes.entries import last_lines, spare
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.redaction import Redaction

_LINES = 20
TIME = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d) ")
"""The time with which each entry of a log begins, and the space after it."""

_ENTRY = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class AppLook:
    """One look at an app."""

    deployment: Object | None
    """Its Deployment; none if there is none."""
    sets: tuple[Object, ...] = ()
    """Its ReplicaSets."""
    pods: tuple[Object, ...] = ()
    """Its pods, including those that are leaving."""
    events: tuple[Object, ...] = ()
    """The events of these objects."""
    claims: tuple[Object, ...] = ()
    """Its claims."""

    @property
    def objects(self) -> tuple[Object, ...]:
        """Returns everything that was seen."""
        deployments = (self.deployment,) if self.deployment is not None else ()
        return (*deployments, *self.sets, *self.pods, *self.events, *self.claims)

    @property
    def present_template(self) -> Object:
        """Returns the pod template that the Deployment has now; there must be a Deployment."""
        assert self.deployment is not None, "an app without a Deployment has no template"
        return _template(self.deployment)

    def template_of(self, generation: int) -> Object | None:
        """Returns the pod template with which a generation was rolled out; none if the cluster has forgotten it.

        It is in the oldest ReplicaSet of the generation: if others change the template later, the cluster makes a
        ReplicaSet of the same generation.
        """
        first = sorted(self.sets, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))
        owners = [*first, *((self.deployment,) if self.deployment is not None else ())]
        return next((found for each in owners if generation_of(found := _template(each)) == generation), None)


def look_at_app(api: Api, app: str, instance: str) -> AppLook:
    """Returns the app's objects in the cluster; reads the Deployment first, so all others are at least as new."""
    chosen = marks.selector(instance, app)
    deployment = api.get("Deployment", app)
    sets, pods = api.all_of("ReplicaSet", chosen), api.all_of("Pod", chosen)
    claims = api.all_of("PersistentVolumeClaim", chosen) if deployment and _mounts(deployment) else ()
    mine = {each["metadata"].get("uid") for each in (deployment, *sets, *pods, *claims) if each is not None}
    events = tuple(each for each in api.all_of("Event") if each["involvedObject"].get("uid") in mine)
    return AppLook(deployment, sets, pods, events, claims)


def generation_of(thing: Seen) -> int:
    """Returns the generation of a pod or of a template."""
    return marks.number_of(thing, marks.GENERATION)


def ending(pods: Iterable[Seen]) -> int:
    """Returns the seconds that the slowest of these pods may take to end."""
    return max((int(each["spec"].get("terminationGracePeriodSeconds") or 0) for each in pods), default=0)


def lines_of(api: Api, pod: Seen, hidden: Redaction) -> tuple[str, ...]:
    """Returns the last lines of a pod, or those from before its last restart if it has written none since."""
    name = str(pod["metadata"]["name"])
    for previous in ("", "true"):
        query = {"container": CONTAINER, "timestamps": "true", "previous": previous}
        query["tailLines"] = str(_LINES + spare(hidden))
        try:
            status, body = api.send("GET", f"{api.path('Pod', name)}/log", query=query)
        except NornError:
            return ()
        entries = entries_of(body) if status == 200 else []
        if entries:
            return tuple(line.text for line in last_lines(entries, name, _LINES, hidden))
    return ()


def entries_of(body: bytes) -> list[bytes]:
    """Returns the entries of a log that begin with a time; the rest are messages of the node.

    A node that has removed the container sends such a message instead of the log or after it, with status 200.
    """
    # An app that shows its progress writes carriage returns inside a line; splitlines() would end the entry there.
    return [entry for entry in _ENTRY.findall(body) if TIME.match(entry)]


def warnings(look: AppLook) -> Iterator[str]:
    """Yields the warnings among the events, each as a line."""
    for each in sorted(look.events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or ""):
        if each.get("type") == "Warning":
            about, message = each["involvedObject"], " ".join(each.get("message", "").split())
            yield f"{about['kind']} {about['name']}: {each.get('reason', '')}: {message}"


def _template(owner: Seen) -> Object:
    """Returns the template of a Deployment or ReplicaSet, without the label that the cluster added."""
    found = owner["spec"]["template"]
    labels = {key: value for key, value in found["metadata"].get("labels", {}).items() if key != "pod-template-hash"}
    kept = {"labels": labels, "annotations": found["metadata"].get("annotations") or {}}
    return {"metadata": kept, "spec": found["spec"]}


def _mounts(deployment: Seen) -> bool:
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or []
    return any("persistentVolumeClaim" in each for each in volumes)
