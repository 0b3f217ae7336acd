"""Decides the cluster of an app at a forge: where a new app goes, and whether the forge moves an app from Docker to
Kubernetes.
"""

from __future__ import annotations

from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import workers
from norn_tasks.store.releases import releases

CLUSTERS = FROM, TO = ("docker", "kubernetes")
"""The clusters; an app can only move from the first to the second."""


def move_from(tx: Tx, app: Row, spec: Infraspec, present: str | None, wanted: str | None, *, force: bool) -> str | None:
    """Returns the cluster that the app leaves in order to move to `wanted`; None if no move is needed.

    `present` is the cluster that is used if the forge names none. Raises InvalidRequest and Conflict for a move that
    Norn cannot make.
    """
    if wanted is None or wanted == present:
        return None
    if wanted not in CLUSTERS or not spec.role.long_running:
        raise InvalidRequest(
            f"{spec.app} cannot be forged on {wanted!r}", hint="webservers and workers run on docker or on kubernetes"
        )
    if force or (present, wanted) != (FROM, TO):
        raise Conflict(
            f"{spec.app} runs on {present}, and a forge moves an app only from {FROM} to {TO}, without --force",
            hint=f"norn teardown {spec.app}, then norn forge {spec.app} --cluster {wanted}",
        )
    if not workers.has_cluster(tx, wanted):
        raise Conflict(f"no worker reaches the cluster {wanted}", hint="norn worker list; docs/kubernetes.md")
    live = releases.require_live(tx, app["name"])
    if spec.volumes or registry.spec_of(live["spec"]).volumes:
        raise Conflict(
            f"{spec.app} has volumes, and a move does not copy what is in them",
            hint=f"copy it yourself: norn teardown {spec.app}, then norn forge {spec.app} --cluster {wanted}",
        )
    return present
