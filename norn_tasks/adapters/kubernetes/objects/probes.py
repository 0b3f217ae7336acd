"""Builds the probes of a webserver from the health section of its infraspec. A worker has no probes."""

from __future__ import annotations

import math

from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Health
from norn_tasks.ports import Workload

STATUSES = "200-399"
"""The HTTP statuses that a kubelet counts as healthy; this cannot be configured."""
_STARTING, _SERVING = 1, 2
"""Seconds between two probes of a pod that is starting, and of a pod that has started."""


def probes(workload: Workload, site: Site) -> dict[str, Object]:
    """Returns the startup, readiness and liveness probes; raises InvalidRequest if the app wants statuses that a
    kubelet cannot check.
    """
    if workload.port is None:
        return {}
    health = workload.checked
    handler = _handler(health)
    tries = max(1, math.ceil(patience(workload, site) / _STARTING))
    return {
        "startupProbe": _probe(handler, health, _STARTING, tries),
        "readinessProbe": _probe(handler, health, _SERVING, health.retries),
        "livenessProbe": _probe(handler, health, health.interval, health.retries),
    }


def patience(workload: Workload, site: Site) -> float:
    """Returns the seconds that a new replica may take to become healthy."""
    return workload.health.start_period or site.rollout_timeout


def stays_up(workload: Workload, site: Site) -> int:
    """Returns how many seconds a new pod must stay ready to count as healthy; 0 if it has a healthcheck."""
    return 0 if workload.healthcheck is not None else math.ceil(site.stay_up)


def _handler(health: Health) -> Object:
    if health.path is None:
        return {"tcpSocket": {"port": "http"}}
    if health.status != STATUSES:
        raise InvalidRequest(
            f"health.status is {health.status}, and Kubernetes takes {STATUSES} as healthy and nothing else",
            hint="leave health.status out, or let the path answer with one of these",
        )
    host = {"name": "Host", "value": health.host}
    return {"httpGet": {"path": health.path, "port": "http", "scheme": "HTTP", "httpHeaders": [host]}}


def _probe(handler: Object, health: Health, period: int, failures: int) -> Object:
    times = {"periodSeconds": period, "timeoutSeconds": health.timeout, "failureThreshold": failures}
    return {**handler, **times, "successThreshold": 1}
