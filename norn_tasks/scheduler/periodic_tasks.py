"""The scheduler's periodic tasks: alerts, notifications, backups, comparisons, polls of git, the dead man's switch and
others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.dispatch import (
    Intake,
    request_access_keys,
    request_database_look,
    request_deadman,
    request_deliveries,
    request_due_backups,
    request_due_comparisons,
    request_due_polls,
    request_end_of_drained,
    request_tunnel_look,
)
from norn_tasks.domain.disk import Least
from norn_tasks.store.alerts import (
    app_rules,
    backup_rules,
    certificate_rules,
    cron_rules,
    layer_rules,
    scheduler_rules,
    server_rules,
)


@dataclass
class _PeriodicTask:
    """A task and its interval."""

    seconds: float
    do: Callable[[], object]
    last: float = float("-inf")


class PeriodicTasks:
    """The periodic tasks of one scheduler.

    They run in each turn of the scheduler's loop, after its decisions. So if the loop hangs, the dead man's switch is
    not called, and that service raises an alarm.
    """

    def __init__(self, intake: Intake, name: str) -> None:
        days = intake.settings.alert_paused_days
        least = Least(intake.settings.disk_build_free, intake.settings.disk_build_percent)
        self._tasks = (
            _PeriodicTask(5.0, lambda: cron_rules.look(intake.database, days)),
            _PeriodicTask(5.0, lambda: app_rules.look(intake.database)),
            _PeriodicTask(5.0, lambda: backup_rules.look(intake.database)),
            _PeriodicTask(5.0, lambda: scheduler_rules.look(intake.database)),
            _PeriodicTask(15.0, lambda: certificate_rules.look(intake.database)),
            _PeriodicTask(15.0, lambda: server_rules.look(intake.database, least)),
            _PeriodicTask(15.0, lambda: layer_rules.look(intake.database, intake.settings.alert_written)),
            _PeriodicTask(60.0, lambda: request_due_comparisons(intake, actor=name)),
            _PeriodicTask(5.0, lambda: request_due_polls(intake, actor=name)),
            _PeriodicTask(15.0, lambda: request_due_backups(intake, actor=name)),
            _PeriodicTask(60.0, lambda: request_database_look(intake, actor=name)),
            _PeriodicTask(1.0, lambda: request_deliveries(intake, actor=name)),
            _PeriodicTask(1.0, lambda: request_deadman(intake, actor=name)),
            _PeriodicTask(1.0, lambda: request_end_of_drained(intake, actor=name)),
            _PeriodicTask(60.0, lambda: request_tunnel_look(intake, actor=name)),
            _PeriodicTask(300.0, lambda: request_access_keys(intake, actor=name)),
        )

    def round(self, *, clear: bool) -> None:
        """Runs the tasks that are due, at half the rate if not `clear`; raises DatabaseDown."""
        now = time.monotonic()
        for duty in self._tasks:
            if now - duty.last >= duty.seconds * (1 if clear else 2):
                duty.last = now
                duty.do()
