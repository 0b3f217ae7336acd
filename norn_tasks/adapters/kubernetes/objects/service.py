"""Builds the Service through which other apps reach a webserver."""

from __future__ import annotations

from collections.abc import Collection

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects.deployment import metadata
from norn_tasks.adapters.kubernetes.objects.pod import PORT
from norn_tasks.adapters.kubernetes.site import Object, Seen, Site
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Workload

HTTP = 80


def service(workload: Workload, site: Site, fence: Fence, also: Collection[int] = ()) -> Object:
    """Returns the Service under the app's internal host, with port 80, the app's own port and the ports in `also`."""
    numbers = {*also, *((workload.port,) if workload.port is not None else ())} - {HTTP}
    ports = [_port(PORT, HTTP), *(_port(f"port-{number}", number) for number in sorted(numbers))]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(workload.internal_host, workload, site, fence),
        "spec": {
            "type": "ClusterIP",
            "selector": marks.selected(workload.app, site.instance),
            "ports": ports,
        },
    }


def ports_of(seen: Seen | None) -> tuple[int, ...]:
    """Returns the ports of a Service in the cluster; an empty tuple if it does not exist."""
    return tuple(int(each["port"]) for each in seen["spec"].get("ports") or ()) if seen is not None else ()


def _port(name: str, number: int) -> Object:
    return {"name": name, "port": number, "targetPort": PORT, "protocol": "TCP"}
