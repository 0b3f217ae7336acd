"""Applies the `concurrency` of a cron app to a manual run."""

from __future__ import annotations

from norn_tasks.domain.errors import AlreadyRunning
from norn_tasks.domain.infraspec import Concurrency
from norn_tasks.store.cron import overlap, schedules
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import endings


def make_way(tx: Tx, app: str, concurrency: str, actor: str) -> None:
    """Makes room for a manual run, as the app's `concurrency` says.

    For `forbid`, raises AlreadyRunning if a run of the app has not ended; for `replace`, asks the running runs to stop;
    for the other values, does nothing. The scheduler decides no occurrence of the app until this transaction ends.
    """
    schedules.hold(tx, app)
    busy = overlap.of(tx, [app])[app]
    if concurrency == Concurrency.REPLACE:
        for row in busy.active:
            endings.request_cancel(tx, row, actor)
    there = [*busy.active, *busy.waiting, *busy.manual]
    if concurrency != Concurrency.FORBID or not there:
        return
    row = there[0]
    since = f"has been running since {row['begun_at']:%Y-%m-%d %H:%M:%S} UTC" if row["begun_at"] else "waits to begin"
    raise AlreadyRunning(
        f"run {row['execution']} of {app} {since}, and its concurrency is forbid",
        hint=f"wait for it, or norn cron run {app} --force",
        execution=row["execution"],
    )
