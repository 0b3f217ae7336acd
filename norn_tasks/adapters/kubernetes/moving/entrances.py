"""The entrances of apps that moved from Docker to Kubernetes: the addresses of the Services to which the router sends
their requests.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.objects.service import HTTP
from norn_tasks.domain.errors import StepFailed
from norn_tasks.ports import RouterPorts, Stop, Watch, Workload

_TRIES, _CONNECT, _PAUSE = 10, 2.0, 0.5
"""How often a connection is tried, how many seconds each try may take, and the seconds between two tries."""


@dataclass(frozen=True)
class Entrances:
    """Sets the entrances at the router; `address` is the router's address, without a port."""

    ports: RouterPorts
    address: str

    def lead(self, app: str, entrance: str, watch: Watch) -> str | None:
        """Makes the router send the requests of an app that moved here to `entrance`. Returns the app's address at the
        router; None for any other app.
        """
        port = self.ports.lead(app, entrance, watch.fence)
        return None if port is None else f"{self.address}:{port}"


def entrance_of(api: Api, workload: Workload) -> str | None:
    """Returns the `address:port` of the app's Service; None if the app has no Service."""
    if workload.port is None:
        return None
    seen = api.get("Service", workload.internal_host)
    address = str(seen["spec"].get("clusterIP") or "") if seen is not None else ""
    if address in ("", "None"):
        return None
    return f"[{address}]:{HTTP}" if ":" in address else f"{address}:{HTTP}"


def require_answer(entrance: str, stop: Stop) -> None:
    """Raises StepFailed if several tries to connect to the entrance fail; a new Service may need a moment."""
    host, _, port = entrance.rpartition(":")
    why = ""
    for _ in range(_TRIES):
        stop.check()
        try:
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
        except OSError as error:
            why = str(error)
            stop.wait(_PAUSE)
        else:
            return
    raise StepFailed(
        f"this machine cannot reach the Service at {entrance}: {why}",
        hint="the router must reach the Services of the cluster to keep the app's address (docs/kubernetes.md)",
    )
