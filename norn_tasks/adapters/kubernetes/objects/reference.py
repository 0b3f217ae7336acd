"""Chooses the name by which the nodes of a cluster can find an image, because they do not know the engine's
image ids.
"""

from __future__ import annotations

from typing import Protocol

from norn_tasks.adapters.kubernetes.site import Site
from norn_tasks.domain.errors import RegistryFailed


class Imaged(Protocol):
    """A workload or a run, with the names of its image."""

    @property
    def image(self) -> str: ...
    @property
    def published(self) -> str: ...
    @property
    def tag(self) -> str: ...


def reference(site: Site, of: Imaged, what: str) -> str:
    """Returns the reference of an image; raises RegistryFailed if no node can pull it. `what` names its release in
    messages.
    """
    if site.loaded:
        return of.tag or of.image
    if of.published:
        return of.published
    raise RegistryFailed(
        f"the image of {what} is only on the engine, from which the cluster cannot pull it",
        hint="set NORN_REGISTRY_URL and deploy again; or load images onto the nodes: NORN_KUBE_IMAGES=loaded",
    )
