"""The paths of the servers for apps: a directory next to Norn's own stores, and one for sockets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.account import Account


@dataclass(frozen=True)
class ServicePaths(DataPaths):
    """The paths of the servers for apps; `data` is their directory."""

    @property
    def stores(self) -> Path:
        """The directory of the servers' sockets."""
        return self.run / "apps"

    @property
    def keys(self) -> Path:
        """The data directory of the key-value server."""
        return self.data / "kv"

    @property
    def users(self) -> Path:
        """The file with the users of the key-value server."""
        return self.keys / "users.acl"

    @property
    def offer(self) -> Path:
        """The file in which `norn up` names the servers that a worker can ask the supervisor to start."""
        return self.data / "offer.json"

    def note(self, server: str) -> Path:
        """Returns the file in which a server writes its address when it starts."""
        return self.data / f"{server}.json"


def service_paths(where: DataPaths) -> ServicePaths:
    """Returns the paths of the servers for apps, within the paths of a Norn; creates nothing."""
    return ServicePaths(where.data / "services", where.run)


def make(where: ServicePaths, account: Account) -> None:
    """Creates the directories: Norn's own, which the account may only pass through, and the account's, for sockets."""
    where.data.mkdir(mode=0o700, exist_ok=True)
    if account.name:
        os.chown(where.data, -1, account.gid)
        where.data.chmod(0o710)
    account.own_directory(where.stores)
