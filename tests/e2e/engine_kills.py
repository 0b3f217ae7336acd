"""Kills the engine with SIGKILL at a random moment of a cron run and starts it again: the recorded result must be the
true one.

A run writes a line into its volume when it begins, and its exit code right before it exits; so the volume shows what
really happened. With `live_restore` the run continues while the engine is stopped; without it, the engine ends the run
when it starts again.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.stack import Stack
from tests.engine_kit import PrivateEngine
from tests.servers import allowed, wait_until

ENDED = ["succeeded", "failed", "error", "dead", "expired"]
PROGRAM = r"""
say() { echo "$NORN_EXECUTION_ID $1" >> /data/runs; sync; }
trap 'say 9; exit 9' TERM
say begun
i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done
say 7; exit 7
"""


@dataclass
class Kills:
    """Rounds of one stack on an engine of its own: the recorded exit codes of runs whose code began, and the number of
    the other runs.
    """

    stack: Stack
    engine: PrivateEngine
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    codes: Counter[str] = field(default_factory=Counter)
    unbegun: int = 0
    wrong: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Deploys the cron app."""
        spec = ("app: writes\nrole: cron\nschedule: '0 0 1 1 *'\ncommand: sh /program\n"
                "volumes: [{name: data, mountPath: /data, size: 1g}]\n")  # fmt: skip
        dockerfile = "FROM busybox:stable\nCOPY program /program\n"
        self.stack.add_app("writes", spec, {"Dockerfile": dockerfile, "program": PROGRAM})
        self.stack.norn("forge", "writes")
        self.stack.norn("deploy", "writes")

    def play(self) -> None:
        """Plays one round: starts a run, kills the engine in the middle of it, pauses, starts the engine, and checks
        the end.
        """
        job = int(self.stack.json("cron", "run", "writes", "--detach")["job"])
        begun = "SELECT 1 FROM jobs WHERE id = %s AND begun_at IS NOT NULL"
        wait_until(lambda: self.stack.rows(begun, job), allowed(30), "the run has begun")
        time.sleep(self.chance.uniform(0, 2.2))
        self.engine.kill()
        time.sleep(self.chance.uniform(0, 1.5))
        self.engine.start()
        row = self.stack.await_state(job, ENDED, allowed(60))
        self._judge(row["execution"], row["runs"])

    def _judge(self, execution: int, runs: int) -> None:
        told = self.stack.rows("SELECT state, exit_code, cause FROM cron_executions WHERE id = %s", execution)[0]
        lines = self._written(execution)
        if not lines and told["state"] == "error":
            # The engine was killed before the code began: this is reported as trouble of the engine, and no code has
            # run.
            self.unbegun += 1
            return
        self.codes[str(told["exit_code"])] += 1
        said = [line for line in lines if line != "begun"]
        # A run that is killed by force cannot write its exit code; 137 is then the true one. An engine that is killed
        # while it starts a run does not know afterwards that it did; then the end is recorded as unknown.
        unknown = (told["exit_code"], told["cause"]) == (None, "engine_restarted")
        true = None if unknown else int(said[0]) if said else 137
        if (lines.count("begun"), len(said) <= 1, told["exit_code"], runs) != (1, True, true, 1):
            self.wrong.append(f"run {execution}: {lines}, recorded {told}, {runs} runs")

    def _written(self, execution: int) -> list[str]:
        client = self.engine.client()
        (volume,) = client.volumes.list(filters={"label": "norn.io/app=writes"})
        client.close()
        file = Path(volume.attrs["Mountpoint"], "runs")
        text = file.read_text() if file.exists() else ""
        return [line.split()[1] for line in text.splitlines() if line.split()[0] == str(execution)]
