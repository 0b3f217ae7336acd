"""Calls in the nest (the container in which crun starts runs). At a chosen point of its run, a call is "struck": its
worker or the nest is killed.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field

import httpx

from norn_tasks.adapters.nest.door import Door
from norn_tasks.domain.errors import EngineDown
from tests.e2e import killed_calls
from tests.e2e.fast_road import client, inside
from tests.e2e.stack import Stack
from tests.e2e.witness import Witness
from tests.e2e.zombies import children, frozen
from tests.servers import allowed, wait_until

ENVIRONMENT = {
    "NORN_NEST": "auto", "NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3",
    "NORN_WORKERS_INVOKE": "4",
}  # fmt: skip
POINTS = ("before", "created", "recorded", "begun", "effect", "after")
UNBEGUN = ("before", "created", "recorded")
"""The points at which the code has certainly not begun, so that the call must succeed after the death of its worker.
A call whose nest ends before its start ends as `engine_restarted`, because its start is not repeated.
"""
STRUCK = ("worker", "nest")
_STEP, _VICTIM = "run-container", "invoke-struck"
_ENDS = ("succeeded", "failed", "error", "dead", "expired", "cancelled")
_LOST = {"worker_lost", "engine_restarted"}


@dataclass
class Strikes:
    """Rounds on one stack with one healthy worker. In each round, another worker dies or freezes at a point."""

    stack: Stack
    witness: Witness
    number: int = 0
    wrong: list[str] = field(default_factory=list)

    def play(self, struck: str, point: str, *, sync: bool) -> None:
        """Plays one round: the worker that is to be struck takes the call, and any worker ends it. Then the result is
        judged.
        """
        self.number += 1
        # When the nest is ready, no worker holds the lock under which the nest is made.
        wait_until(self._nest_is_trusted, allowed(60), "the nest is ready")
        self._stop_healthy()
        action = "kill" if struck == "worker" else "stop"
        self.stack.spawn("invoke", _VICTIM, NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{_STEP}:{point}:{action}")
        ready = "SELECT 1 FROM workers WHERE name = %s AND 'runtime:nest' = ANY(capabilities) AND pid = %s"
        pid = self.stack.processes[_VICTIM].pid
        named = f"{_VICTIM}@test"
        wait_until(lambda: self.stack.rows(ready, named, pid), allowed(60), "the worker to be struck is ready")
        said: list[str] = []
        caller = threading.Thread(target=lambda: said.append(self._call(sync)))
        caller.start()
        self._strike(struck)
        caller.join(allowed(150))
        self._judge(struck, point, "waiting" if sync else "asynchronous", said)

    def _nest_is_trusted(self) -> bool:
        try:
            return bool(Door(self.stack.home / "nest").look()["trusted"])
        except EngineDown:
            return False

    def _stop_healthy(self) -> None:
        for pid in self._healthy():
            os.kill(pid, signal.SIGSTOP)

    def _healthy(self) -> list[int]:
        pid = self.stack.processes["invoke"].pid
        return [pid, *children(pid)]

    def _strike(self, struck: str) -> None:
        victim = self.stack.processes[_VICTIM]
        try:
            if struck == "worker":
                wait_until(lambda: victim.poll() is not None, allowed(60), "the worker dies at its point")
                return
            wait_until(lambda: frozen(victim.pid), allowed(60), "the worker freezes at its point")
            os.kill(inside(self.stack).pid, signal.SIGKILL)
            os.kill(victim.pid, signal.SIGCONT)
        finally:
            for pid in self._healthy():
                os.kill(pid, signal.SIGCONT)

    def _call(self, sync: bool) -> str:
        headers = {} if sync else {"Prefer": "respond-async"}
        with client(self.stack, 150, **headers) as http:
            try:
                return self._answered(http)
            except httpx.TransportError as error:
                return repr(error)

    def _answered(self, http: httpx.Client) -> str:
        return killed_calls.called(http, self.number, "points").said

    def _judge(self, struck: str, point: str, kind: str, said: list[str]) -> None:
        what = f"{struck} at {point}, {kind}"
        query = """SELECT j.state, j.runs, x.cause, x.state AS call
          FROM jobs j JOIN func_executions x ON x.job_id = j.id WHERE x.path = %s"""
        path = f"/points/{self.number}"
        wait_until(
            lambda: [each["state"] in _ENDS for each in self.stack.rows(query, path)] == [True], allowed(120), what
        )
        (row,) = self.stack.rows(query, path)
        begun, ended = self.witness.begun[f"points-{self.number}"], row["call"] == "succeeded"
        print(f"{what}: {row['call']} {row['cause'] or ''}; answered {said}, begun {begun} times", flush=True)
        lost = row["cause"] in _LOST and (struck == "nest" or point not in UNBEGUN)
        right = begun == 1 if ended else lost
        if not right or begun > 1 or row["runs"] > 1 or (ended and said not in (["ok"], ["accepted"])):
            self.wrong.append(f"{what}: answered {said}, begun {begun} times, recorded {row}")
        victim = self.stack.processes.pop(_VICTIM)
        if victim.poll() is None:
            victim.kill()
        victim.wait(10)
