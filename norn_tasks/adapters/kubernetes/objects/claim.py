"""Builds the PersistentVolumeClaim of a volume. The claim outlives all releases; only a teardown with purge
removes it.
"""

from __future__ import annotations

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.infraspec import Volume
from norn_tasks.domain.jobs.job import Fence

DEFAULT_SIZE = 2**30
"""The bytes that are claimed for a volume without a size."""


def claim_name(app: str, volume: str) -> str:
    """Returns the name of the claim."""
    return f"{app}-{volume}"


def claim(app: str, volume: Volume, site: Site, fence: Fence) -> Object:
    """Returns the claim of one of the app's volumes; only one node at a time can mount it."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": str(volume.size or DEFAULT_SIZE)}},
    }
    if site.storage_class:
        spec["storageClassName"] = site.storage_class
    labels = marks.labels(app, site.instance) | {marks.VOLUME: volume.name}
    metadata = {
        "name": claim_name(app, volume.name),
        "namespace": site.namespace,
        "labels": labels,
        "annotations": {marks.OWNER: f"app:{app}", marks.JOB: str(fence.job), marks.FENCE: str(fence.token)},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
