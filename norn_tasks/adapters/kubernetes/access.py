"""Connects to a Kubernetes API server, with a context of a kubeconfig, or with the credentials of the pod in which
Norn's worker process runs.

The client library reads and renews the credentials; it is imported only when a cluster is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norn_tasks.domain.errors import ClusterDown

CONNECT_SECONDS = 5
_INSIDE = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True)
class ClusterAccess:
    """The operator's choice of a cluster and of the credentials."""

    namespace: str
    """The namespace of all objects."""
    kubeconfig: Path | None = None
    """The file with the address and the credentials. Without it: the file in KUBECONFIG, otherwise the pod's
    credentials, otherwise the user's file.
    """
    context: str = ""
    """A context of that file; empty means the file's current context."""

    def configured(self) -> Any:
        """Returns the configuration of the client library; raises ClusterDown if no usable one exists."""
        from kubernetes import client, config

        library: Any = config
        made = client.Configuration()
        made.retries = False
        try:
            if self._inside:
                library.load_incluster_config(client_configuration=made)
            else:
                file = str(self.kubeconfig.expanduser()) if self.kubeconfig is not None else None
                library.load_kube_config(file, self.context or None, made, persist_config=False)
        except (config.ConfigException, OSError, ValueError) as error:
            raise ClusterDown(
                f"the access to the Kubernetes cluster cannot be read: {str(error).strip() or type(error).__name__}",
                hint="NORN_KUBE_CONFIG names a kubeconfig, NORN_KUBE_CONTEXT one of its contexts",
            ) from error
        return made

    @property
    def _inside(self) -> bool:
        """True if the worker runs in a pod, and neither a file nor a context nor KUBECONFIG is set."""
        chosen = self.kubeconfig is not None or self.context or os.environ.get("KUBECONFIG")
        return not chosen and bool(os.environ.get(_INSIDE))
