"""Builds the Secrets of an app: one for each rollout, which never changes, and one with the login for the registry."""

from __future__ import annotations

import base64

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Workload


def secret_name(app: str, generation: int) -> str:
    """Returns the name of the Secret of a rollout."""
    return f"{app}-{generation}"


def login_name(app: str) -> str:
    """Returns the name of the Secret with the registry's login."""
    return f"{app}-registry"


def secret(workload: Workload, site: Site, fence: Fence) -> Object:
    """Returns the Secret of the workload's generation, from which all its replicas get the same values."""
    data = {name: encoded(value.reveal()) for name, value in sorted(workload.secrets.items())}
    name = secret_name(workload.app, workload.generation)
    return {**_head(name, workload, site, fence), "type": "Opaque", "immutable": True, "data": data}


def login(workload: Workload, site: Site, fence: Fence) -> Object:
    """Returns the Secret with which nodes pull the app's image."""
    data = {".dockerconfigjson": encoded(site.registry_login)}
    head = _head(login_name(workload.app), workload, site, fence)
    return {**head, "type": "kubernetes.io/dockerconfigjson", "data": data}


def _head(name: str, workload: Workload, site: Site, fence: Fence) -> Object:
    notes = marks.notes(workload.app, workload.release, workload.generation, fence)
    labels = marks.labels(workload.app, site.instance)
    metadata = {"name": name, "namespace": site.namespace, "labels": labels, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}


def encoded(text: str) -> str:
    """Encodes a value as Secrets require it (base64)."""
    return base64.b64encode(text.encode()).decode()
