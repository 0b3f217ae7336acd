"""What beat does for people: looks for alerts, has notifications sent, has the dead man's address called."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.dispatch import Intake, request_deadman, request_deliveries
from norn_tasks.store import cron_alerts


@dataclass
class _Duty:
    """A part of the round: how often it comes, and what it is."""

    seconds: float
    do: Callable[[], object]
    last: float = float("-inf")


class Watchman:
    """Goes his round in each turn of beat's loop, after what is due was decided: a loop that stands calls nobody."""

    def __init__(self, intake: Intake, name: str) -> None:
        days = intake.settings.alert_paused_days
        self._duties = (
            _Duty(5.0, lambda: cron_alerts.look(intake.database, days)),
            _Duty(1.0, lambda: request_deliveries(intake, actor=name)),
            _Duty(1.0, lambda: request_deadman(intake, actor=name)),
        )

    def round(self, *, clear: bool) -> None:
        """Does what its time has come for, twice that when the way is not clear; raises DatabaseDown."""
        now = time.monotonic()
        for duty in self._duties:
            if now - duty.last >= duty.seconds * (1 if clear else 2):
                duty.last = now
                duty.do()
