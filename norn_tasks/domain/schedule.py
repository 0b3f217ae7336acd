"""Rules of schedules: verdicts, policies, due occurrences, and jitter.

All functions are pure. Times come from the database's clock, and `store.cron.deciding` writes the decisions into rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from norn_tasks.domain.cron.expression import Schedule
from norn_tasks.domain.infraspec import Catchup, Concurrency, Infraspec

NOBODY_DECIDED = "no scheduler was running when it was due"
"""The reason that is recorded for an occurrence if no scheduler decided about it in time."""
ON_TIME = timedelta(seconds=60)
"""How late an occurrence without a `startDeadline` may be decided and still be on time. A later decision is a
catch-up.
"""
CATCH_UP_MOST = 24
"""The largest number of occurrences that `catchup: all` runs after an outage: the newest ones."""
_FIRST_LOOK = timedelta(minutes=1)


class Verdict(StrEnum):
    """The decision about an occurrence."""

    FIRED = "fired"
    SKIPPED_OVERLAP = "skipped_overlap"
    SKIPPED_PAUSED = "skipped_paused"
    MISSED = "missed"
    CAUGHT_UP = "caught_up"
    FAILED_TO_START = "failed_to_start"


class RunTrigger(StrEnum):
    """The cause of a run."""

    SCHEDULE = "schedule"
    CATCHUP = "catchup"
    MANUAL = "manual"


@dataclass(frozen=True)
class Policy:
    """The rules in an app's infraspec for its occurrences; `start_deadline` and `jitter` are in seconds."""

    catchup: Catchup = Catchup.LAST
    concurrency: Concurrency = Concurrency.FORBID
    start_deadline: int | None = None
    jitter: int = 0

    @property
    def window(self) -> timedelta:
        """How late an occurrence may be decided and still be on time."""
        return ON_TIME if self.start_deadline is None else timedelta(seconds=self.start_deadline)

    def may_still_run(self, moment: datetime, now: datetime) -> bool:
        """Returns False once `startDeadline` has passed; this limits catch-up runs as well."""
        return self.start_deadline is None or now - moment <= timedelta(seconds=self.start_deadline)


def policy_of(spec: Infraspec) -> Policy:
    """Returns the rules of an app's spec for its occurrences."""
    return Policy(spec.catchup, spec.concurrency, spec.start_deadline, spec.jitter)


@dataclass(frozen=True)
class Due:
    """The due occurrences of a schedule: the oldest undecided one and the newest one; also the next one in the
    future.
    """

    first: datetime
    newest: datetime
    following: datetime

    @property
    def alone(self) -> bool:
        """True if only one occurrence is due, as is normal without an outage."""
        return self.first == self.newest


def due(schedule: Schedule, after: datetime, now: datetime, anchor: datetime) -> Due | None:
    """Returns the occurrences due after `after` (the last decided moment) up to `now`; None if there are none."""
    first = schedule.next_after(after, anchor)
    if first > now:
        return None
    newest, following = first, schedule.next_after(first, anchor)
    if following <= now:
        *_, newest = newest_of(schedule, first, now, anchor, 1)
        following = schedule.next_after(newest, anchor)
    return Due(first, newest, following)


def newest_of(schedule: Schedule, after: datetime, until: datetime, anchor: datetime, count: int) -> list[datetime]:
    """Returns the newest `count` occurrences after `after` up to and including `until`, oldest first.

    The search goes back from `until` in steps that double, so that it need not compute all older occurrences after a
    long outage.
    """
    span = _FIRST_LOOK
    while until - span > after:
        found = list(schedule.between(until - span, until, anchor))
        if len(found) >= count:
            return found[-count:]
        span *= 2
    return list(schedule.between(after, until, anchor))[-count:]


def held_back(app: str, moment: datetime, following: datetime, jitter: int) -> timedelta:
    """Returns the delay of an occurrence: at most `jitter`, and less than half of its period. The same occurrence
    always has the same delay.
    """
    half = (following - moment).total_seconds() / 2
    most = min(float(jitter), half)
    if most <= 0:
        return timedelta()
    word = hashlib.sha256(f"{app} {moment.isoformat()}".encode()).digest()
    share = int.from_bytes(word[:6], "big") / 2**48
    return timedelta(seconds=int(share * most * 1000) / 1000)
