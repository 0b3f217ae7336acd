"""The labels and annotations of every object: they say which app owns it, and which job wrote it last."""

from __future__ import annotations

from norn_tasks.adapters.kubernetes.site import Seen
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.job import Fence

NAME, MANAGED, NORN = "app.kubernetes.io/name", "app.kubernetes.io/managed-by", "norn"
APP, INSTANCE, VOLUME = "norn.io/app", "norn.io/instance", "norn.io/volume"
RUN = "norn.io/run"
"""The label of everything that belongs to one run."""
OWNER, JOB, FENCE = "norn.io/owner", "norn.io/job", "norn.io/fence"
GENERATION, RELEASE = "norn.io/generation", "norn.io/release"
LIVE, LIVE_REPLICAS = "norn.io/live-generation", "norn.io/live-replicas"
"""Annotations of a Deployment: the generation that passed its gate (the health test) last, and how many replicas it
had.
"""


def labels(app: str, instance: str) -> dict[str, str]:
    """Returns the labels of every object of an app."""
    return {NAME: app, MANAGED: NORN, APP: app, INSTANCE: instance}


def selected(app: str, instance: str) -> dict[str, str]:
    """Returns the labels by which a Deployment or a Service finds its pods; Kubernetes does not allow them to
    change.
    """
    return {NAME: app, INSTANCE: instance}


def selector(instance: str, app: str | None = None) -> str:
    """Returns the label selector for the objects of this control plane, or of one of its apps."""
    chosen = {MANAGED: NORN, INSTANCE: instance} | ({APP: app} if app is not None else {})
    return ",".join(f"{label}={value}" for label, value in chosen.items())


def notes(app: str, release: int, generation: int, fence: Fence) -> dict[str, str]:
    """Returns the annotations of an object that is written for a release."""
    return {
        OWNER: f"release:{app}:{release}",
        JOB: str(fence.job),
        FENCE: str(fence.token),
        GENERATION: str(generation),
    }


def label_of(seen: Seen, label: str) -> str:
    """Returns a label; an empty text if the object does not have it."""
    return str((seen["metadata"].get("labels") or {}).get(label, ""))


def note_of(seen: Seen, annotation: str) -> str:
    """Returns an annotation; an empty text if the object does not have it."""
    return str((seen["metadata"].get("annotations") or {}).get(annotation, ""))


def number_of(seen: Seen, annotation: str) -> int:
    """Returns an annotation as a number; 0 if the object does not have it, or if it is not a number."""
    text = note_of(seen, annotation)
    return int(text) if text.isascii() and text.isdigit() else 0


def require_ours(seen: Seen, app: str, instance: str) -> None:
    """Raises Conflict if the object was not made by Norn, or belongs to another control plane or to another app."""
    theirs = label_of(seen, INSTANCE), label_of(seen, APP)
    if label_of(seen, MANAGED) == NORN and theirs == (instance, app):
        return
    kind, metadata = seen.get("kind", "object"), seen["metadata"]
    whose = "was not made by Norn"
    if label_of(seen, MANAGED) == NORN:
        whose = f"is of the app {theirs[1]}" + ("" if theirs[0] == instance else f" of another Norn, {theirs[0]}")
    raise Conflict(
        f"{kind} {metadata['name']} in the namespace {metadata.get('namespace', '')} {whose}",
        hint="remove or rename it, or give this Norn a namespace of its own: NORN_KUBE_NAMESPACE",
    )
