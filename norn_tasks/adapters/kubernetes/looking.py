"""Reads the state of an app from the cluster: its Deployment, and all objects that show how its rollout goes."""

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
"""The time at the beginning of each entry of a log, with the space that follows."""

_ENTRY = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class AppLook:
    """One observation of an app."""

    deployment: Object | None
    """The app's Deployment; None if it has none."""
    sets: tuple[Object, ...] = ()
    """The app's ReplicaSets."""
    pods: tuple[Object, ...] = ()
    """The app's pods, including those that are being removed."""
    events: tuple[Object, ...] = ()
    """The events of these objects."""
    claims: tuple[Object, ...] = ()
    """The app's volume claims."""

    @property
    def objects(self) -> tuple[Object, ...]:
        """Returns all objects of this observation."""
        deployments = (self.deployment,) if self.deployment is not None else ()
        return (*deployments, *self.sets, *self.pods, *self.events, *self.claims)

    @property
    def present_template(self) -> Object:
        """Returns the Deployment's present pod template; raises AssertionError if there is no Deployment."""
        assert self.deployment is not None, "an app without a Deployment has no template"
        return _template(self.deployment)

    def template_of(self, generation: int) -> Object | None:
        """Returns the pod template with which a generation was rolled out; None if Kubernetes no longer has it.

        The template is in the oldest ReplicaSet of the generation. If somebody changes the template later, Kubernetes
        adds another ReplicaSet for the same generation.
        """
        first = sorted(self.sets, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))
        owners = [*first, *((self.deployment,) if self.deployment is not None else ())]
        return next((found for each in owners if generation_of(found := _template(each)) == generation), None)


def look_at_app(api: Api, app: str, instance: str) -> AppLook:
    """Reads the app's objects from the cluster. The Deployment is read first, so all other objects are at least
    as new.
    """
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
    """Returns how many seconds the slowest of these pods may take to end."""
    return max((int(each["spec"].get("terminationGracePeriodSeconds") or 0) for each in pods), default=0)


def lines_of(api: Api, pod: Seen, hidden: Redaction) -> tuple[str, ...]:
    """Returns the last lines of a pod. If it has written nothing since its last restart, returns the lines from before
    the restart.
    """
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
    """Returns the entries of a log that begin with a time; other lines are messages of the node.

    If a node has already removed the container, it sends such a message instead of the log or after it, with status
    200.
    """
    # An app that shows a progress bar writes carriage returns inside a line; splitlines() would end the entry there.
    return [entry for entry in _ENTRY.findall(body) if TIME.match(entry)]


def warnings(look: AppLook) -> Iterator[str]:
    """Yields the warnings among the events, each as a line."""
    for each in sorted(look.events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or ""):
        if each.get("type") == "Warning":
            about, message = each["involvedObject"], " ".join(each.get("message", "").split())
            yield f"{about['kind']} {about['name']}: {each.get('reason', '')}: {message}"


def _template(owner: Seen) -> Object:
    """Returns the pod template of a Deployment or ReplicaSet, without the label that Kubernetes added."""
    found = owner["spec"]["template"]
    labels = {key: value for key, value in found["metadata"].get("labels", {}).items() if key != "pod-template-hash"}
    kept = {"labels": labels, "annotations": found["metadata"].get("annotations") or {}}
    return {"metadata": kept, "spec": found["spec"]}


def _mounts(deployment: Seen) -> bool:
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or []
    return any("persistentVolumeClaim" in each for each in volumes)
