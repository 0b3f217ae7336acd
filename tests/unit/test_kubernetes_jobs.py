"""The Kubernetes cluster as an engine for runs: a worker that also serves other engines does not wait for a cluster
that does not respond.
"""

from __future__ import annotations

from typing import cast

import pytest

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.domain.errors import ClusterDown, EngineDown


class SilentServer:
    """An API server that never responds, and counts the requests."""

    namespace = "apps"

    def __init__(self) -> None:
        self.asked = 0

    def require_answer(self) -> None:
        """Raises the error of a request that timed out."""
        self.asked += 1
        raise ClusterDown("the API server does not answer", hint="kubectl version")


def test_a_silent_cluster_is_not_asked_before_every_job() -> None:
    server = SilentServer()
    engine = KubernetesJobs(cast(Api, server))
    for _ in range(3):
        with pytest.raises(EngineDown, match="the API server does not answer"):
            engine.identity()
    assert server.asked == 1
