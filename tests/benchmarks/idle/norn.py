"""The Norn under measurement: `norn up` in a directory of its own, and the apps that it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
from sqlalchemy import text

from norn_tasks.embedded.paths import DataPaths, data_paths
from norn_tasks.embedded.stores import postgres
from norn_tasks.settings import load
from norn_tasks.store.database.session import Database
from tests.e2e.machine import Machine

_DOCKERFILE = "FROM busybox:stable\nRUN mkdir /www && echo served > /www/index.html\n"
_SERVES = "command: httpd -f -p 8080 -h /www\nport: 8080\nhealthcheck: /\n"
_SPECS = {
    "web": f"role: webserver\n{_SERVES}",
    "fn": "role: function\ncommand: cat\n",
    "work": "role: worker\ncommand: sleep 1000000\n",
    "cron": "role: cron\nschedule: '* * * * *'\ncommand: date\n",
}
_MIX = ("web", "web", "web", "fn", "work")
"""The kinds of the apps, repeated as often as needed. The very first app is a cron job that runs every minute."""


class IdleNorn:
    """A complete Norn, and the requested number of apps."""

    def __init__(self, home: Path) -> None:
        self._machine, self._apps = Machine(home), 0
        first = int(self._machine.environment["NORN_ROUTER_PORT_FIRST"])
        self._machine.environment["NORN_ROUTER_PORT_LAST"] = str(first + 100)
        self._machine.norn("up")

    @property
    def where(self) -> DataPaths:
        """The paths of its data directory."""
        return data_paths(Path(self._machine.environment["NORN_DATA_DIR"]))

    def grow(self, apps: int) -> None:
        """Deploys apps until there are that many."""
        for n in range(self._apps, apps):
            kind = "cron" if n == 0 else _MIX[n % len(_MIX)]
            name = f"{self._machine.name}-{kind}{n}"
            self._machine.add(name, f"app: {name}\n{_SPECS[kind]}", Dockerfile=_DOCKERFILE)
            self._machine.norn("forge", name)
            self._machine.norn("deploy", name)
            print(f"deployed {n + 1} of {apps}: {name}", flush=True)
        self._apps = apps

    def transactions(self) -> int:
        """Returns the number of PostgreSQL's transactions since its start; the query for the number is one of them."""
        return int(self._asked("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"))

    def _asked(self, statement: str) -> Any:
        database = Database(postgres.url(self.where), pool=1)
        try:
            with database.transaction() as tx:
                return tx.scalar(text(statement))
        finally:
            database.dispose()

    def stop(self) -> None:
        """Ends everything, and removes what this Norn made on the engine."""
        chosen = {"label": f"norn.io/instance={self._asked('SELECT name FROM instance')}"}
        self._machine.norn("down", "--all")
        client = docker.DockerClient(base_url=load().engine_address)
        for container in client.containers.list(all=True, ignore_removed=True, filters=chosen):
            container.remove(force=True, v=True)
        for image in client.images.list(filters=chosen):
            client.images.remove(image.id, force=True)
        client.close()
