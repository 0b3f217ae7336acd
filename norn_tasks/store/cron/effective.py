"""Converts a schedule's row to values: the effective schedule, its policy, and the deadline by which a run may
begin.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from norn_tasks.domain.cron.expression import Schedule, parse_schedule
from norn_tasks.domain.infraspec.words import Catchup, Concurrency
from norn_tasks.domain.schedule import Policy
from norn_tasks.store.database.session import Row, Tx

PATIENCE = timedelta(days=1)
"""How long a run without a `startDeadline` may wait to begin. It may always wait until the next occurrence is due."""


def clock(tx: Tx) -> datetime:
    """Returns the current time of the database's clock, which all decisions use."""
    now = tx.scalar(text("SELECT clock_timestamp()"))
    assert isinstance(now, datetime)
    return now


def effective(row: Row) -> Schedule:
    """Returns the effective schedule: the override if there is one, otherwise the schedule in the infraspec."""
    if row["override_schedule"] is not None:
        return parse_schedule(row["override_schedule"], row["override_timezone"] or row["timezone"])
    return parse_schedule(row["schedule"], row["timezone"])


def policy_of(row: Row) -> Policy:
    """Returns the spec's policy for the schedule's occurrences."""
    return Policy(Catchup(row["catchup"]), Concurrency(row["concurrency"]), row["start_deadline"], row["jitter"])


def deadline(policy: Policy, planned: datetime, following: datetime, now: datetime) -> datetime:
    """Returns the latest time at which a run that is planned for `planned` may begin."""
    if policy.start_deadline is not None:
        return planned + timedelta(seconds=policy.start_deadline)
    return max(following, now + PATIENCE)
