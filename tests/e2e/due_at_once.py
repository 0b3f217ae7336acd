"""Many cron apps that are due at the same moment, with real containers: when the run of each began.

One app is deployed, and its rows are copied for the others: all have its image.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.cron.clones import clone
from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

APP = "due"
_NEXT = """UPDATE cron_states SET decided_until = clock_timestamp(),
  next_due = date_trunc('minute', clock_timestamp() + interval '12 s') + interval '1 min' WHERE app LIKE 'due%%'
  RETURNING extract(epoch FROM next_due)::float8 AS due"""
_RUNS = """SELECT x.state, j.runs, j.container LIKE 'nest-%%' AS in_nest, x.stdout,
  extract(epoch FROM x.begun_at - x.scheduled_for)::float8 * 1000 AS late
  FROM cron_executions x JOIN jobs j ON j.id = x.job_id
 WHERE x.app LIKE 'due%%' AND x.scheduled_for = to_timestamp(%s)"""

_ENDED = """SELECT 1 FROM cron_executions
 WHERE scheduled_for = to_timestamp(%s) AND finished_at IS NOT NULL AND app LIKE 'due%%'"""


@dataclass(frozen=True)
class Moment:
    """The runs of one moment at which all apps were due. `late`: the milliseconds after which each run began,
    sorted.
    """

    late: list[float]
    runs: list[dict[str, Any]]

    def percentile(self, part: float) -> float:
        """Returns the milliseconds within which this fraction of the runs began."""
        return self.late[min(len(self.late) - 1, int(part * len(self.late)))]

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """The runs that did not succeed, or ran twice, or lost their output."""
        return [
            each for each in self.runs if (each["state"], each["runs"], each["stdout"]) != ("succeeded", 1, "ran\n")
        ]

    @property
    def in_nest(self) -> int:
        """The number of runs that ran in the nest (the container in which crun starts runs)."""
        return sum(1 for each in self.runs if each["in_nest"])


def prepare(stack: Stack, count: int) -> None:
    """Deploys one app and copies it, so that this number of apps is due every minute."""
    apps.add_cron(stack, APP, "echo ran", "resources: {memory: 32m}\n", schedule="* * * * *")
    stack.norn("forge", APP)
    stack.norn("deploy", APP)
    clone(stack, APP, count)


def moment(stack: Stack, count: int) -> Moment:
    """Waits for the next moment at which all apps are due, and for the end of all runs."""
    due = stack.rows(_NEXT)[0]["due"]
    time.sleep(max(0.0, due - time.time()))
    wait_until(lambda: len(stack.rows(_ENDED, due)) >= count, allowed(90), f"{count} runs have ended")
    runs = stack.rows(_RUNS, due)
    return Moment(sorted(each["late"] for each in runs if each["late"] is not None), runs)
