"""What a container of a run (cron, function, test) may do: as little as it can be (security.md 6).

This is the whole policy; a test compares it with what the engine says it started.
"""

from __future__ import annotations

from typing import Any

from docker import APIClient
from docker.types import LogConfig

from norn_tasks.adapters.engine import INSTANCE, labels, mounted
from norn_tasks.domain.job import Fence
from norn_tasks.ports import Run

NETWORK = "norn-runs"
PIDS = 256

_LOGGED = LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"})
_UNLOGGED = LogConfig(type="none")


def container(client: APIClient, run: Run, fence: Fence, instance: str) -> dict[str, Any]:
    """Answers the arguments of `create_container` for a run."""
    return {
        "name": run.name,
        "image": run.image,
        # As the entrypoint: a spec's command replaces the image's, whatever the image has.
        "entrypoint": list(run.argv) if run.argv is not None else None,
        "environment": {**run.env, **{name: each.reveal() for name, each in run.secrets.items()}},
        "labels": {**labels(run.app, run.owner, fence), INSTANCE: instance},
        "stdin_open": run.stdin is not None,
        # An image's own HEALTHCHECK would start processes beside the run.
        "healthcheck": {"test": ["NONE"]},
        "host_config": _host(client, run),
    }


def _host(client: APIClient, run: Run) -> dict[str, Any]:
    scratch = f"rw,exec,nosuid,nodev,mode=1777,size={run.memory}"
    return client.create_host_config(
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        pids_limit=PIDS,
        mem_limit=run.memory,
        memswap_limit=run.memory,
        nano_cpus=int(run.cpus * 1_000_000_000),
        network_mode="none" if run.network == "none" else NETWORK,
        ipc_mode="private",
        read_only=not run.writable,
        mounts=mounted(run.mounts),
        tmpfs=None if run.writable else {"/tmp": scratch},  # noqa: S108 - a path inside the container
        log_config=_LOGGED if run.logged else _UNLOGGED,
    )
