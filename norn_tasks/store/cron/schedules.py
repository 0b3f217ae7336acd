"""Changes schedules: the schedule in the infraspec, its override, pause and resume, and when an app is due next.

Every change first decides the occurrences that were already due under the old schedule (`deciding.decide`); then it
computes when the next occurrence is due. Both happen in one transaction. A NOTIFY makes every scheduler read the
schedules again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.errors import Conflict, WrongRole
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.schedule import Policy
from norn_tasks.store.cron import deciding, effective
from norn_tasks.store.database.session import SCHEDULES, Row, Tx
from norn_tasks.store.events.publishing import notify, publish
from norn_tasks.store.queue import endings
from norn_tasks.store.tables import AppRow, CronStateRow, CronTickRow

DEFAULT = Policy()


def get(tx: Tx, app: str) -> Row:
    """Returns and locks the app's schedule; raises WrongRole or Conflict if it has none."""
    row = tx.execute(select(CronStateRow).where(CronStateRow.app == app).with_for_update()).mappings().one_or_none()
    if row is not None:
        return row
    role = tx.scalar(select(AppRow.role).where(AppRow.name == app))
    if role is not None and role != "cron":
        raise WrongRole(f"{app} is a {role}: it has no schedule", hint=f"norn status {app}")
    raise Conflict(f"{app} has no schedule yet", hint=f"norn forge {app}")


def hold(tx: Tx, app: str) -> None:
    """Keeps schedulers from deciding occurrences of the app until the transaction ends; the app may have no
    schedule.
    """
    tx.execute(select(CronStateRow.app).where(CronStateRow.app == app).with_for_update())


def _settle(tx: Tx, row: Row, actor: str, closed_for: str) -> datetime:
    """Decides the occurrences that are due under the old schedule, closes a pause's open range, and returns the time of
    the change.

    The old schedule counts up to this time and the new one after it, so no occurrence is lost or decided twice.
    """
    now = effective.clock(tx)
    deciding.decide(tx, [row], now, actor)
    closed = {"open": False, "closed_by": actor, "closed_for": closed_for}
    tx.execute(update(CronTickRow).where(CronTickRow.app == row["app"], CronTickRow.open).values(closed))
    return now


def _counts(tx: Tx, app: str) -> bool:
    """Returns True once a release of the app is live, unless its infraspec says `deploy: false`."""
    row = tx.execute(select(AppRow.live_deployment, AppRow.spec).where(AppRow.name == app)).one_or_none()
    return row is not None and row.live_deployment is not None and bool(row.spec["deploy"])


def _restart(tx: Tx, app: str, now: datetime, changes: Mapping[str, Any]) -> None:
    """Applies a change, and computes the next due time; a schedule that is off has none."""
    tx.execute(update(CronStateRow).where(CronStateRow.app == app).values(decided_until=now, **changes))
    row = tx.execute(select(CronStateRow).where(CronStateRow.app == app)).mappings().one()
    due = effective.effective(row).next_after(now, row["anchor"]) if _counts(tx, app) else None
    tx.execute(update(CronStateRow).where(CronStateRow.app == app).values(next_due=due))
    notify(tx, SCHEDULES, app)


def register(
    tx: Tx, app: str, schedule: str, timezone: str, concurrent: int, policy: Policy = DEFAULT, *, actor: str = "norn"
) -> None:
    """Sets the schedule and the policy from the infraspec; an unchanged schedule keeps its next due time."""
    says = {
        "concurrent": concurrent, "catchup": str(policy.catchup), "concurrency": str(policy.concurrency),
        "start_deadline": policy.start_deadline, "jitter": policy.jitter,
    }  # fmt: skip
    values = {"app": app, "schedule": schedule, "timezone": timezone, **says}
    new = tx.execute(
        insert(CronStateRow).values(values).on_conflict_do_nothing().returning(CronStateRow.app)
    ).one_or_none()
    if new is not None:
        return
    row = get(tx, app)
    if (row["schedule"], row["timezone"]) == (schedule, timezone):
        tx.execute(update(CronStateRow).where(CronStateRow.app == app).values(says))
        _turn(tx, row, actor)
        return
    now = _settle(tx, row, actor, "edit")
    anchor = {} if row["override_schedule"] is not None else {"anchor": now}
    _restart(tx, app, now, {"schedule": schedule, "timezone": timezone, **says, **anchor})
    publish(tx, EventKind.SCHEDULE_CHANGED, app=app, schedule=schedule, timezone=timezone)


def awaken(tx: Tx, app: str, *, actor: str = "norn") -> None:
    """Turns the schedule on or off, as the infraspec of the release that went live says."""
    row = tx.execute(select(CronStateRow).where(CronStateRow.app == app).with_for_update()).mappings().one_or_none()
    if row is not None:
        _turn(tx, row, actor)


def _turn(tx: Tx, row: Row, actor: str) -> None:
    """Turns a schedule on or off; does nothing if it is already as it should be."""
    if _counts(tx, row["app"]) != (row["next_due"] is not None):
        _restart(tx, row["app"], _settle(tx, row, actor, "edit"), {})


def remove(tx: Tx, app: str, *, actor: str = "norn") -> None:
    """Deletes the schedule, and ends its runs that have not begun; its history stays."""
    row = tx.execute(select(CronStateRow).where(CronStateRow.app == app).with_for_update()).mappings().one_or_none()
    if row is None:
        return
    _settle(tx, row, actor, "removal")
    endings.cancel_waiting(tx, app, JobKind.CRON_RUN)
    tx.execute(delete(CronStateRow).where(CronStateRow.app == app))
    notify(tx, SCHEDULES, app)
    publish(tx, EventKind.SCHEDULE_CHANGED, app=app, schedule=None, timezone=None)


def override(tx: Tx, app: str, schedule: str, timezone: str | None, actor: str) -> None:
    """Sets a schedule that replaces the one in the spec until it is cleared; raises InvalidRequest if it is invalid."""
    row = get(tx, app)
    parse_schedule(schedule, timezone or row["timezone"])
    now = _settle(tx, row, actor, "edit")
    changes = {"override_schedule": schedule, "override_by": actor, "override_at": now, "anchor": now}
    _restart(tx, app, now, changes | {"override_timezone": timezone})
    publish(tx, EventKind.SCHEDULE_CHANGED, app=app, schedule=schedule, timezone=timezone, actor=actor)


def clear_override(tx: Tx, app: str, actor: str) -> None:
    """Returns to the schedule in the infraspec; does nothing if there is no override."""
    row = get(tx, app)
    if row["override_schedule"] is None:
        return
    now = _settle(tx, row, actor, "edit")
    cleared = dict.fromkeys(("override_schedule", "override_timezone", "override_by", "override_at"))
    _restart(tx, app, now, cleared | {"anchor": now})
    publish(tx, EventKind.SCHEDULE_CHANGED, app=app, schedule=row["schedule"], timezone=row["timezone"], actor=actor)


def pause(tx: Tx, app: str, actor: str, reason: str) -> None:
    """Pauses the schedule, without ending its runs; raises Conflict if it is already paused for another reason."""
    row = get(tx, app)
    if row["paused_at"] is not None:
        if reason and reason != row["paused_reason"]:
            raise Conflict(
                f"{app} is paused already since {row['paused_at']:%Y-%m-%d %H:%M} UTC, by {row['paused_by']}"
                + (f", for: {row['paused_reason']}" if row["paused_reason"] else ""),
                hint=f"norn cron resume {app} first",
            )
        return
    now = _settle(tx, row, actor, "pause")
    _restart(tx, app, now, {"paused_at": now, "paused_by": actor, "paused_reason": reason})
    publish(tx, EventKind.SCHEDULE_PAUSED, app=app, actor=actor, reason=reason)


def resume(tx: Tx, app: str, actor: str) -> None:
    """Resumes the schedule from now on; occurrences during the pause do not run. Does nothing if it is not paused."""
    row = get(tx, app)
    if row["paused_at"] is None:
        return
    now = _settle(tx, row, actor, "resume")
    _restart(tx, app, now, dict.fromkeys(("paused_at", "paused_by", "paused_reason")))
    publish(tx, EventKind.SCHEDULE_RESUMED, app=app, actor=actor)
