"""The rights of a run's container (cron, function, test): as few as possible (docs/security.md 6).

This module is the complete policy. A test compares it with the engine's description of a container.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.types import LogConfig
from docker.types import Mount as EngineMount

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import INSTANCE, labels, mounted
from norn_tasks.adapters.docker.inits import is_an_init
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run

NETWORK = networks.RUNS
PIDS = 256
"""The most processes in the container of a run."""


@dataclass(frozen=True)
class RunImage:
    """The parts of an image's configuration on which the container of a run depends."""

    volumes: tuple[str, ...] = ()
    """The paths of the image's VOLUME lines."""
    program: tuple[str, ...] = ()
    """The image's entrypoint followed by its command."""


EMPTY = RunImage()
_LOGGED = LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"})
_UNLOGGED = LogConfig(type="none")


def container(
    client: APIClient,
    run: Run,
    fence: Fence,
    instance: str,
    image: RunImage = EMPTY,
    hosts: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Returns the arguments of `create_container` for a run; `hosts` has the addresses of the host names that the run
    can use.
    """
    return {
        "name": run.name,
        "image": run.image,
        # The command of an infraspec replaces both the entrypoint and the command of the image, so it is passed as the
        # entrypoint.
        "entrypoint": list(run.argv) if run.argv is not None else None,
        "environment": {**run.env, **{name: each.reveal() for name, each in run.secrets.items()}},
        "labels": {**labels(run.app, run.owner, fence), INSTANCE: instance},
        "stdin_open": run.reads,
        "tty": run.tty,
        # The HEALTHCHECK of an image would start processes in addition to the run.
        "healthcheck": {"test": ["NONE"]},
        "host_config": _host(client, run, image, hosts),
    }


def _host(client: APIClient, run: Run, image: RunImage, hosts: Mapping[str, str] | None) -> dict[str, Any]:
    scratch = f"rw,exec,nosuid,nodev,mode=1777,size={run.memory}"
    return client.create_host_config(
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        pids_limit=PIDS,
        mem_limit=run.memory,
        memswap_limit=run.memory,
        nano_cpus=int(run.cpus * 1_000_000_000),
        network_mode="none" if run.network == "none" else NETWORK,
        extra_hosts=dict(hosts) if hosts and run.network != "none" else None,
        ipc_mode="private",
        read_only=not run.writable,
        mounts=[*(mounted(run.mounts) or ()), *([] if run.writable else _in_memory(run, image.volumes))] or None,
        tmpfs=None if run.writable else {"/tmp": scratch},  # noqa: S108 - a path inside the container
        init=not is_an_init(run.argv if run.argv is not None else image.program),
        log_config=_LOGGED if run.logged else _UNLOGGED,
    )


def _in_memory(run: Run, volumes: Iterable[str]) -> list[EngineMount]:
    """Returns an empty directory in memory for each volume of the image.

    Without it, the engine would create a directory on its disk for each volume, where the run could write without a
    limit.
    """
    taken = {posixpath.normpath(path) for path in ("/tmp", *(each.target for each in run.mounts))}  # noqa: S108
    paths = sorted({posixpath.normpath(path) for path in volumes} - taken)
    return [EngineMount(path, None, "tmpfs", tmpfs_size=run.memory, tmpfs_mode=0o1777) for path in paths]
