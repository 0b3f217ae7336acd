"""What a replica's container is called, carries and may do: all of it, compared by a test with the engine's word.

An ordinary image must run as it does under `docker run`, so a replica keeps the engine's default capabilities and a
writable root; it gets no way to more of them, bounded memory, processes and log, and nothing of the host. It starts
without a restart policy, so that its first end is seen as what it is; the policy comes when it has passed its gate.
"""

from __future__ import annotations

from typing import Any

from docker import APIClient
from docker.types import LogConfig

from norn_tasks.adapters.engine import INSTANCE, labels, mounted
from norn_tasks.domain.job import Fence
from norn_tasks.ports import Workload

NETWORK = "norn"
RELEASE = "norn.io/release"
GENERATION = "norn.io/generation"
INDEX = "norn.io/replica"

PIDS = 1024

_LOG = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})


def name(workload: Workload, index: int, instance: str) -> str:
    """Answers the name that one replica alone can have: who creates it second is told so by the engine."""
    return f"norn-{workload.app}-r{workload.release}-g{workload.generation}-{index}-{instance}"


def marks(workload: Workload, index: int, fence: Fence, instance: str) -> dict[str, str]:
    """Answers its labels."""
    return labels(workload.app, f"release:{workload.app}:{workload.release}", fence) | {
        INSTANCE: instance,
        RELEASE: str(workload.release),
        GENERATION: str(workload.generation),
        INDEX: str(index),
    }


def container(client: APIClient, workload: Workload, address: str) -> dict[str, Any]:
    """Answers the rest of the arguments of `create_container`; `address` is its fixed IP on the network."""
    aliases = [workload.internal_host] if workload.port is not None and workload.internal_host else None
    endpoint = client.create_endpoint_config(aliases=aliases, ipv4_address=address)
    return {
        "image": workload.image,
        # As the entrypoint: a spec's command replaces the image's, whatever the image has.
        "entrypoint": list(workload.argv) if workload.argv is not None else None,
        "environment": {**workload.env, **{name: each.reveal() for name, each in workload.secrets.items()}},
        # The spec's healthcheck is the only gate.
        "healthcheck": {"test": ["NONE"]},
        "networking_config": client.create_networking_config({NETWORK: endpoint}),  # type: ignore[arg-type]
        "host_config": _host(client, workload),
    }


def _host(client: APIClient, workload: Workload) -> dict[str, Any]:
    return client.create_host_config(
        security_opt=["no-new-privileges:true"],
        pids_limit=PIDS,
        mem_limit=workload.memory,
        memswap_limit=workload.memory,
        nano_cpus=int(workload.cpus * 1_000_000_000) if workload.cpus is not None else None,
        network_mode=NETWORK,
        ipc_mode="private",
        mounts=mounted(workload.mounts),
        log_config=_LOG,
    )
