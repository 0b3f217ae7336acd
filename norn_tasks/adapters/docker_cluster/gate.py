"""The gate: the health test that a new replica must pass before it gets requests, and before an old replica is removed.

A webserver with a healthcheck passes when the healthcheck succeeds. Without a healthcheck, its port must accept
connections, and the replica must then run for a while: servers such as gunicorn open the port before they load the app,
so an open port alone proves nothing. A worker only has to run for a while. A replica fails if it exits or restarts
before it has passed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from norn_tasks.adapters.docker_cluster import diagnosis, probe
from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.examination import examined
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.causes import Evidence
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.ports import Stop, Workload

_FIRST, _AGAIN = 0.05, 0.25
"""The seconds between the first two looks at the replica's container, and the most seconds between two later ones."""
LONGEST_PAUSE = 5.0
"""The most seconds between two checks of an app that fails them. The pauses grow, because each check adds a line to the
app's log.
"""


@dataclass(frozen=True)
class Gates:
    """How many seconds a gate may take, and how many seconds a replica without a healthcheck must run to pass."""

    timeout: float
    stay_up: float


@dataclass
class Trial:
    """One replica at its gate: when its next check is due, and since when it has been healthy (in monotonic time)."""

    needed: float
    until: float
    next_try: float = 0
    refusals: int = 0
    well_since: float | None = None
    first: tuple[datetime | None, int] | None = None
    """Its start time and its number of restarts when it was first observed."""

    def passes(self, knock: probe.Knock, now: float) -> bool:
        """Records the result of a check; returns True if the replica has been healthy for long enough."""
        if knock.well:
            self.well_since = now if self.well_since is None else self.well_since
            self.next_try = self.well_since + self.needed
            return now >= self.next_try
        self.well_since = None
        if knock.word is None:
            self.next_try = now + _AGAIN
        else:
            self.refusals += 1
            pause = doubling_pause(_AGAIN, self.refusals, most=LONGEST_PAUSE)
            self.next_try = min(now + pause, self.until)
        return False

    def restarted(self, seen: ReplicaContainer) -> bool:
        """Returns True if the replica was restarted since it was first observed."""
        now = (seen.started_at, seen.restarts)
        self.first = self.first or now
        return now != self.first


class Gate:
    """The gate of one workload's replicas."""

    def __init__(self, containers: Containers, workload: Workload, gates: Gates, stop: Stop) -> None:
        self._containers = containers
        self._workload = workload
        self._gates = gates
        self._stop = stop

    def passed(self, container: str, *, proven: bool = False) -> str:
        """Waits until a replica has passed, and returns its address (empty if the app has no port).

        `proven`: another replica of this rollout has been live already; a webserver then passes as soon as it is
        healthy. Raises RolloutFailed when the replica can no longer pass, or when the time is over.
        """
        trial = Trial(self._needed(proven), time.monotonic() + self._patience)
        looks = 0
        while True:
            seen = self._seen(container, trial)
            if time.monotonic() >= trial.next_try:
                knock = self._knock(seen)
                if trial.passes(knock, time.monotonic()):
                    return f"{seen.ip}:{self._workload.port}" if self._workload.port is not None else ""
                if not knock.well and time.monotonic() >= trial.until:
                    raise self._late(container, knock)
            looks += 1
            self._stop.wait(doubling_pause(_FIRST, looks, most=_AGAIN))
            self._stop.check()

    @property
    def _patience(self) -> float:
        """The seconds within which a replica must become healthy."""
        return self._workload.health.start_period or self._gates.timeout

    def _needed(self, proven: bool) -> float:
        """Returns for how many seconds a replica must run."""
        if self._workload.port is None:
            return self._gates.stay_up
        return 0 if proven or self._workload.healthcheck is not None else self._gates.stay_up

    def _seen(self, container: str, trial: Trial) -> ReplicaContainer:
        seen = self._containers.see(container)
        if seen is None:
            raise diagnosis.removed()
        if not seen.running:
            raise diagnosis.ended(self._workload, seen, self._evidence(container))
        if trial.restarted(seen):
            raise diagnosis.restarted(self._evidence(container))
        return seen

    def _knock(self, seen: ReplicaContainer) -> probe.Knock:
        if self._workload.port is None:
            return probe.Knock(True)
        return probe.check(seen.ip, self._workload.port, self._workload.checked, self._stop)

    def _late(self, container: str, knock: probe.Knock) -> RolloutFailed:
        evidence = self._evidence(container)
        if knock.word is None:
            return diagnosis.not_listening(self._workload, self._patience, evidence)
        return diagnosis.not_healthy(self._workload, knock.word, self._patience, evidence)

    def _evidence(self, container: str) -> Evidence:
        return examined(self._containers, self._workload, container)
