"""Checks for `norn doctor` whether an Incus answers and has everything that runs need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.images import INIT
from norn_tasks.domain.errors import EngineDown, NornError, NotFound

_OLDEST = (6, 0)


def checks(api: IncusApi, pool: str, bridge: str, init: Path | None) -> Iterator[tuple[str, str]]:
    """Yields a sentence and a hint for each thing that is missing. If everything exists, yields one sentence without a
    hint.
    """
    try:
        found = list(_missing(api, pool, bridge, init or INIT))
        yield from found or [(_well(api, pool, bridge), "")]
    except NornError as error:
        yield error.sentence, error.hint or "incus info"


def _missing(api: IncusApi, pool: str, bridge: str, init: Path) -> Iterator[tuple[str, str]]:
    server = _server(api)
    if server.get("auth") != "trusted":
        raise EngineDown(f"the Incus at {api.path} does not trust this user", hint="add the user to incus-admin")
    version = str(server["environment"]["server_version"])
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < _OLDEST:
        yield f"Incus is {version}, and Norn is tested with 6.0 and later", "install a newer Incus"
    try:
        api.get(f"/1.0/storage-pools/{pool}", project="default")
    except NotFound:
        yield f"Incus has no storage pool {pool}", f"incus storage create {pool} btrfs, or set NORN_INCUS_POOL"
    if Bridge(api, bridge).found() in ("", "none"):
        yield f"the network {bridge} of Incus has no IPv4 address", f"incus network set {bridge} ipv4.address auto"
    if not os.access(init, os.X_OK):
        yield (
            f"the first process of instances is not at {init}",
            "on a machine with a C compiler, the command 'deploy/prepare run' builds it",
        )


def _well(api: IncusApi, pool: str, bridge: str) -> str:
    version = _server(api)["environment"]["server_version"]
    address = Bridge(api, bridge).found()
    network = f"the bridge {bridge} with {address}" if address else f"no bridge {bridge} yet, which the first run makes"
    return f"Incus {version} answers at {api.path}, with the pool {pool} and {network}"


def _server(api: IncusApi) -> dict[str, Any]:
    return dict(api.get("/1.0", project="default"))
