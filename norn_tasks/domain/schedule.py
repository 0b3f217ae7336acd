"""Words and rules of the cron ledger: verdicts, policies, what is due, and how long an occurrence is held back.

Pure: the moments come from the database's clock, the rows from `store.ticks`, which writes what is decided here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from norn_tasks.domain.cron import Schedule
from norn_tasks.domain.infraspec import Catchup, Concurrency, Infraspec

ON_TIME = timedelta(seconds=60)
"""How late an occurrence without a `startDeadline` may be decided and still count as on time; later is catching up."""
CATCH_UP_MOST = 24
"""How many occurrences `catchup: all` runs of one outage, the newest ones."""
_FIRST_LOOK = timedelta(minutes=1)


class Verdict(StrEnum):
    """What became of an occurrence."""

    FIRED = "fired"
    SKIPPED_OVERLAP = "skipped_overlap"
    SKIPPED_PAUSED = "skipped_paused"
    MISSED = "missed"
    CAUGHT_UP = "caught_up"
    FAILED_TO_START = "failed_to_start"


class Trigger(StrEnum):
    """What made a run start."""

    SCHEDULE = "schedule"
    CATCHUP = "catchup"
    MANUAL = "manual"


@dataclass(frozen=True)
class Policy:
    """What an app's spec says about its occurrences; `start_deadline` and `jitter` in seconds."""

    catchup: Catchup = Catchup.LAST
    concurrency: Concurrency = Concurrency.FORBID
    start_deadline: int | None = None
    jitter: int = 0

    @property
    def window(self) -> timedelta:
        """How late an occurrence may be decided and still be started as one that is on time."""
        return ON_TIME if self.start_deadline is None else timedelta(seconds=self.start_deadline)

    def may_still_run(self, moment: datetime, now: datetime) -> bool:
        """False once `startDeadline` has passed: it also bounds what catching up runs."""
        return self.start_deadline is None or now - moment <= timedelta(seconds=self.start_deadline)


def policy_of(spec: Infraspec) -> Policy:
    """Answers what an app's spec says about its occurrences."""
    return Policy(spec.catchup, spec.concurrency, spec.start_deadline, spec.jitter)


@dataclass(frozen=True)
class Due:
    """What of a schedule is due: the oldest occurrence nobody decided, the newest one, and the one that comes next."""

    first: datetime
    newest: datetime
    following: datetime

    @property
    def alone(self) -> bool:
        """True when only one is due, as on every day without an outage."""
        return self.first == self.newest


def due(schedule: Schedule, after: datetime, now: datetime, anchor: datetime) -> Due | None:
    """Answers what came due after `after` (the last decided moment) by `now`; None when nothing did."""
    first = schedule.next_after(after, anchor)
    if first > now:
        return None
    newest, following = first, schedule.next_after(first, anchor)
    if following <= now:
        *_, newest = newest_of(schedule, first, now, anchor, 1)
        following = schedule.next_after(newest, anchor)
    return Due(first, newest, following)


def newest_of(schedule: Schedule, after: datetime, until: datetime, anchor: datetime, count: int) -> list[datetime]:
    """Answers the newest `count` occurrences after `after` and not after `until`, oldest first.

    It looks back twice as far each time: what a long outage holds besides them is not enumerated.
    """
    span = _FIRST_LOOK
    while until - span > after:
        found = list(schedule.between(until - span, until, anchor))
        if len(found) >= count:
            return found[-count:]
        span *= 2
    return list(schedule.between(after, until, anchor))[-count:]


def held_back(app: str, moment: datetime, following: datetime, jitter: int) -> timedelta:
    """Answers how long an occurrence waits: the same each time, at most `jitter`, and below half its period."""
    half = (following - moment).total_seconds() / 2
    most = min(float(jitter), half)
    if most <= 0:
        return timedelta()
    word = hashlib.sha256(f"{app} {moment.isoformat()}".encode()).digest()
    share = int.from_bytes(word[:6], "big") / 2**48
    return timedelta(seconds=int(share * most * 1000) / 1000)
