"""A complete Norn over the tests' Kubernetes cluster, with the rights that Norn ships, for the soak tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.kube import KubeKit
from tests.servers import Broker, Postgres


@contextmanager
def norn_over(
    kube: KubeKit, namespace: str, postgres: Postgres, home: Path, *, instance: str = "", **environment: str
) -> Iterator[Stack]:
    """Starts API, workers, beat and router, and ends them.

    All test databases are copies of one database, so their control planes have the same name; `instance` gives this one
    another name.
    """
    home.mkdir()
    broker = Broker(home / "broker")
    settings = {
        "NORN_KUBE_NAMESPACE": namespace,
        "NORN_KUBE_CONFIG": str(kube.of_norn(namespace, home / "kubeconfig")),
        "NORN_REGISTRY_URL": kube.environment["NORN_REGISTRY_URL"],
        **environment,
    }
    stack = new_stack(postgres, broker.url, home, **settings)
    try:
        if instance:
            stack.rows("UPDATE instance SET name = %s RETURNING name", instance)
        stack.keep_secrets()
        stack.start()
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()
