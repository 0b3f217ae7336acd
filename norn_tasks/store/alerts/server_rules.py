"""The alert rules for the server itself: an alert about a disk that is nearly full."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert, key
from norn_tasks.domain.disk import Least, Space
from norn_tasks.store.alerts.alerts import raise_alerts, resolve
from norn_tasks.store.database.session import Database

_SPACES = text("SELECT spaces FROM workers WHERE seen_at > clock_timestamp() - interval '60 s' ORDER BY name")


def look(database: Database, least: Least) -> None:
    """Raises an alert while a disk that a worker reports has less free space than a build needs; resolves it when every
    reported disk has enough.
    """
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-server-alerts'))")):
            return
        spaces = [Space(**each) for row in tx.execute(_SPACES) for each in row.spaces]
        full = _fullest(spaces, least)
        if full is not None:
            sentence = f"a disk is nearly full, and nothing is built: {full.describe()}"
            raise_alerts(tx, AlertRule.SERVER, [NewAlert(AlertKind.DISK_FULL, "", sentence, full.hint)])
        elif spaces:
            resolve(tx, AlertRule.SERVER, {key(AlertKind.DISK_FULL, ""): "there is room again"})


def _fullest(spaces: Iterable[Space], least: Least) -> Space | None:
    return min((space for space in spaces if least.lacks(space)), key=lambda space: space.free, default=None)
