"""The paths of the servers of apps: a directory beside the control plane's own stores, and one for their sockets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.account import Account


@dataclass(frozen=True)
class ServicePaths(DataPaths):
    """The paths of the servers of apps; `data` is their directory."""

    @property
    def stores(self) -> Path:
        """The sockets of the servers."""
        return self.run / "apps"

    @property
    def keys(self) -> Path:
        """The directory of the key-value server."""
        return self.data / "kv"

    @property
    def users(self) -> Path:
        """The file of its users."""
        return self.keys / "users.acl"

    @property
    def offer(self) -> Path:
        """The file by which workers know which servers can be started."""
        return self.data / "offer.json"

    def note(self, server: str) -> Path:
        """Returns the file in which a server that starts leaves its address."""
        return self.data / f"{server}.json"


def service_paths(where: DataPaths) -> ServicePaths:
    """Returns the paths beside those of a Norn; creates nothing."""
    return ServicePaths(where.data / "services", where.run)


def make(where: ServicePaths, account: Account) -> None:
    """Makes the directories: ours, through which the account may pass, and its own for sockets."""
    where.data.mkdir(mode=0o700, exist_ok=True)
    if account.name:
        os.chown(where.data, -1, account.gid)
        where.data.chmod(0o710)
    account.own_directory(where.stores)
