"""Retries: a job whose code failed goes back to the queue while its infraspec allows more tries.

`runs` counts how often the code began; it never begins more than `max_runs` times. A cron run keeps its slot during the
pause, so that no later run of the app begins between two tries of the same run.
"""

from __future__ import annotations

from sqlalchemy import text, update

from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import slots
from norn_tasks.store.tables import JobRow

HOPELESS = frozenset({"not_runnable", "output_too_large"})
"""Causes of a failure that another try would only repeat."""
LONGEST_PAUSE = 3600
PATIENCE = 86_400
"""Seconds for which a further try may wait to begin, counted from the end of its pause."""


def pause(row: Row, cause: str) -> int | None:
    """Returns the seconds until the next try of a job whose code just ended for this cause; None if it is not tried
    again.

    The first pause is `retries.backoff` of the infraspec, and each further one twice as long, up to an hour.
    """
    spent = not 0 < row["runs"] < row["max_runs"]
    if spent or row["sync"] or cause in HOPELESS or row["cancel_requested_at"] is not None:
        return None
    return int(doubling_pause(row["spec"]["retries"]["backoff"], row["runs"], most=LONGEST_PAUSE))


def again(tx: Tx, row: Row, seconds: int) -> None:
    """Queues the job of `row` (locked) again, not to begin before `seconds` have passed."""
    if row["class"] != JobClass.CRON:
        slots.put_back(tx, row["id"])
    memory.free(tx, row["id"])
    later = text("clock_timestamp() + make_interval(secs => :pause)").bindparams(pause=seconds)
    until = text("clock_timestamp() + make_interval(secs => :most)").bindparams(most=seconds + PATIENCE)
    tx.execute(
        update(JobRow)
        .where(JobRow.id == row["id"])
        .values(
            state="queued",
            run_after=later,
            deadline=until,
            claims=JobRow.claims - 1,
            lease_until=None,
            container=None,
            container_runtime=None,
            container_engine=None,
            adopt=False,
        )
    )
