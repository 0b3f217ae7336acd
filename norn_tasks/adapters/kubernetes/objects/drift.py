"""Compares an app's objects in the cluster with the objects that Norn wrote, to find changes that somebody made with
`kubectl`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.domain.comparing.drift import Drift, drifts

_SPEC = {
    "Deployment": ("replicas", "selector", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused"),
    "Service": ("type", "selector", "ports", "externalIPs", "externalName", "loadBalancerIP"),
    "PodDisruptionBudget": ("maxUnavailable", "minAvailable", "selector"),
}
"""The fields of each kind of object that Norn sets; the server adds others, such as a cluster address."""
_PORT = ("name", "port", "targetPort", "protocol")


def compared(kind: str, name: str, wanted: Seen | None, found: Seen | None) -> tuple[Drift, ...]:
    """Returns the differences in one object; `wanted` or `found` is None if that object does not exist."""
    if wanted is None or found is None:
        missing = Drift(f"{kind} {name}", "", _presence(wanted), _presence(found))
        return () if wanted is found else (missing,)
    return tuple(drifts(f"{kind} {name}", _view(kind, wanted), _view(kind, found)))


def templates(name: str, wanted: Seen, found: Seen) -> tuple[Drift, ...]:
    """Returns the differences in a Deployment's pod template; both templates are complete, as the server stores
    them.
    """
    return tuple(drifts(f"Deployment {name}", {"template": wanted}, {"template": found}))


def _presence(seen: Seen | None) -> str | None:
    return None if seen is None else "present"


def _view(kind: str, seen: Seen) -> Object:
    spec = {field: seen["spec"].get(field) for field in _SPEC[kind]}
    if kind == "Service":
        spec["ports"] = list(_ports(seen["spec"].get("ports") or ()))
    return {"labels": seen["metadata"].get("labels") or {}, "spec": spec}


def _ports(ports: Any) -> Iterator[Object]:
    for port in ports:
        yield {field: port[field] for field in _PORT if field in port}
