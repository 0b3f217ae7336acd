"""The name, the labels and the rights of a replica's container. A test compares all of them with the engine's
description of a container.

An ordinary image must run as it does under `docker run`, so a replica has a writable root and most of the engine's
default capabilities. It cannot gain more capabilities. Its memory, processes and log are bounded, and it sees nothing
of the host but its mounts. The engine's init is its first process, because the kernel does not deliver SIGTERM to a
first process that has no handler. A replica starts without a restart policy, so that a restart cannot hide that its
program has ended. It gets the restart policy when it has passed its gate (the health test before it serves).
"""

from __future__ import annotations

from typing import Any

from docker import APIClient
from docker.types import LogConfig

from norn_tasks.adapters.docker.client import INSTANCE, labels, mounted
from norn_tasks.adapters.docker.inits import is_an_init
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.services import HOST
from norn_tasks.ports import Workload

NETWORK = "norn"
RELEASE = "norn.io/release"
GENERATION = "norn.io/generation"
INDEX = "norn.io/replica"
OWNED = "release:"
"""The beginning of a replica's owner label. The owner labels of other containers begin differently."""

PIDS = 1024
DROPPED = ("NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT")
"""The engine's default capabilities that a replica does not have.

With NET_RAW a replica could forge ARP packets on the network that all apps share, and so read other apps' requests.
Servers do not need the other four.
"""

_LOG = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})


def name(workload: Workload, index: int, instance: str) -> str:
    """Returns the name of a replica's container. Only one container can have it: the engine refuses to create a second
    one.
    """
    return f"norn-{workload.app}-r{workload.release}-g{workload.generation}-{index}-{instance}"


def marks(workload: Workload, index: int, fence: Fence, instance: str) -> dict[str, str]:
    """Returns the labels of a replica's container."""
    return labels(workload.app, f"{OWNED}{workload.app}:{workload.release}", fence) | {
        INSTANCE: instance,
        RELEASE: str(workload.release),
        GENERATION: str(workload.generation),
        INDEX: str(index),
    }


def container(client: APIClient, workload: Workload, address: str, gateway: str) -> dict[str, Any]:
    """Returns the arguments of `create_container` other than the name and the labels.

    `address` is the container's fixed IP on the network; `gateway` is the machine's IP, where shared services listen.
    """
    aliases = [workload.internal_host] if workload.port is not None and workload.internal_host else None
    endpoint = client.create_endpoint_config(aliases=aliases, ipv4_address=address)
    return {
        "image": workload.image,
        # The command of an infraspec replaces both the entrypoint and the command of the image, so it is passed as the
        # entrypoint.
        "entrypoint": list(workload.argv) if workload.argv is not None else None,
        "environment": {**workload.env, **{name: each.reveal() for name, each in workload.secrets.items()}},
        "stop_timeout": workload.stop_grace,
        # The healthcheck of the image is disabled, because only the infraspec's healthcheck counts.
        "healthcheck": {"test": ["NONE"]},
        "networking_config": client.create_networking_config({NETWORK: endpoint}),  # type: ignore[arg-type]
        "host_config": _host(client, workload, gateway),
    }


def _host(client: APIClient, workload: Workload, gateway: str) -> dict[str, Any]:
    return client.create_host_config(
        cap_drop=list(DROPPED),
        security_opt=["no-new-privileges:true"],
        pids_limit=PIDS,
        mem_limit=workload.memory,
        memswap_limit=workload.memory,
        nano_cpus=int(workload.cpus * 1_000_000_000) if workload.cpus is not None else None,
        network_mode=NETWORK,
        extra_hosts={HOST: gateway} if workload.services else None,
        ipc_mode="private",
        init=not _has_an_init(client, workload),
        mounts=mounted(workload.mounts),
        log_config=_LOG,
    )


def _has_an_init(client: APIClient, workload: Workload) -> bool:
    """Returns True if the image's program is an init itself. Some inits, such as that of s6-overlay, only work as the
    first process.
    """
    program = workload.argv
    if program is None:
        image = client.inspect_image(workload.image)["Config"] or {}  # type: ignore[no-untyped-call]
        program = (*(image.get("Entrypoint") or ()), *(image.get("Cmd") or ()))
    return is_an_init(program)
