"""An observer of rollouts in a process of its own: compares Norn's statements about deployments with the cluster's
objects.

It polls the API server over one connection, and begins a poll every `PERIOD` seconds, or as soon as the last one has
ended. It shares no code with Norn's own decision.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import psycopg2

from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.domain.errors import ClusterDown
from tests.kube_watching import incomplete

PERIOD = 0.12
"""Seconds from the start of a poll to the start of the next one, if a poll takes no longer."""
_SAID = (
    "SELECT DISTINCT ON (d.app) d.app, d.id, d.state, l.generation FROM deployments d"
    " JOIN live_releases l ON l.app = d.app ORDER BY d.app, d.id DESC"
)


@dataclass
class Observed:
    """The results of an observer."""

    polls: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    """The longest time between two polls."""
    lies: list[str] = field(default_factory=list)
    """Each app that Norn calls deployed while it is not, with the reason."""


class Observer:
    """Polls until the process is stopped."""

    def __init__(self, api: Api, database_url: str) -> None:
        self._api = api
        self._rows = psycopg2.connect(database_url)
        self._rows.autocommit = True
        self._over = False
        self.seen = Observed()

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Ends the polling after the present poll; the handler of a signal."""
        self._over = True

    def run(self) -> None:
        """Polls the cluster."""
        began = last = time.monotonic()
        while not self._over:
            due = time.monotonic() + PERIOD
            try:
                self._poll()
            except ClusterDown:
                continue
            now = time.monotonic()
            self.seen.polls += 1
            self.seen.longest, last = max(self.seen.longest, now - last), now
            time.sleep(max(0.0, due - now))
        self.seen.seconds = time.monotonic() - began

    def _poll(self) -> None:
        """Reads the rows, the cluster, and the rows again. Apps whose rows changed in between are not compared."""
        before = self._said()
        # The pods are read first, so that the Deployment is never older than they are.
        pods = self._api.all_of("Pod", "app.kubernetes.io/managed-by=norn")
        deployments = self._api.all_of("Deployment", "app.kubernetes.io/managed-by=norn")
        after = self._said()
        for each in deployments:
            app = each["metadata"]["name"]
            said = before.get(app)
            if said is None or said != after.get(app) or said[1] != "deployed":
                continue
            mine = [pod for pod in pods if pod["metadata"]["labels"].get("norn.io/app") == app]
            if why := incomplete(each, mine, said[2]):
                self.seen.lies.append(f"{app}: {why}")

    def _said(self) -> dict[str, tuple[int, str, int]]:
        with self._rows.cursor() as cursor:
            cursor.execute(_SAID)
            return {app: (number, state, generation) for app, number, state, generation in cursor.fetchall()}


@contextmanager
def observing(namespace: str, kubeconfig: Path, database_url: str, processes: int = 2) -> Iterator[list[Observed]]:
    """Lets observers poll while the block lasts; the list is filled at its end."""
    argv = [sys.executable, "-m", "tests.kube_observer", namespace, str(kubeconfig), database_url]
    root = Path(__file__).parents[1]
    running = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
        for _ in range(processes)
    ]
    found: list[Observed] = []
    try:
        yield found
    finally:
        for each in running:
            each.send_signal(signal.SIGTERM)
        found += [Observed(**json.loads(each.communicate(timeout=60)[0])) for each in running]


def main() -> None:
    """Polls until SIGTERM, and prints the results as JSON."""
    namespace, kubeconfig, database_url = sys.argv[1:]
    observer = Observer(Api(ClusterAccess(namespace, Path(kubeconfig))), database_url)
    signal.signal(signal.SIGTERM, observer.stop)
    observer.run()
    print(json.dumps(asdict(observer.seen)))


if __name__ == "__main__":
    main()
