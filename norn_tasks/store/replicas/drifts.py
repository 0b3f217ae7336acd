"""Comparisons of running apps with their live releases: each app's last comparison, and the apps to compare next."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.facts import Fact
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import GENERATION
from norn_tasks.domain.jobs.writes import DriftSeen
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.rules.lists import LONG_RUNNING_ROLES, OPEN_STATES
from norn_tasks.store.tables import DriftRow, LiveReleaseRow


@dataclass(frozen=True)
class Comparison:
    """The last comparison of an app with the release that is live now."""

    seen_at: datetime
    """The moment of the comparison."""
    found: tuple[Drift, ...]
    """The fields that somebody other than Norn has changed."""


def seen(tx: Tx, row: Row, write: DriftSeen) -> tuple[Fact, ...]:
    """Stores a comparison as the app's last one, unless the app was changed during the comparison."""
    if tx.scalar(_CHANGED, {"app": write.app, "since": row["created_at"]}):
        return ()
    values = {
        "app": write.app, "generation": row["args"][GENERATION], "found": [asdict(each) for each in write.found],
        "seen_at": NOW,
    }  # fmt: skip
    tx.execute(insert(DriftRow).values(values).on_conflict_do_update(index_elements=[DriftRow.app], set_=values))
    return ()


_CHANGED = text(f"""
SELECT EXISTS (SELECT 1 FROM jobs WHERE app = :app AND exclusive AND (state IN {OPEN_STATES} OR ended_at > :since))
""")  # noqa: S608 - built from constants


def of(tx: Tx, app: str) -> Comparison | None:
    """Returns the last comparison with the live release; None if there was none since it went live."""
    d, live = DriftRow, LiveReleaseRow
    row = tx.execute(
        select(d.seen_at, d.found)
        .join(live, (live.app == d.app) & (live.generation == d.generation))
        .where(d.app == app)
    ).first()
    return None if row is None else Comparison(row.seen_at, tuple(Drift(**each) for each in row.found))


_DUE = text(f"""
SELECT l.app FROM live_releases l JOIN apps a ON a.name = l.app LEFT JOIN drifts d ON d.app = l.app
 WHERE a.role IN {LONG_RUNNING_ROLES} AND a.forge_state = '{ForgeState.FORGED}'
   AND greatest(l.live_at, d.seen_at) < clock_timestamp() - make_interval(hours => :hours)
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.app = l.app AND j.kind = '{JobKind.COMPARE}'
                      AND j.created_at > clock_timestamp() - interval '1 hour')
 ORDER BY d.seen_at NULLS FIRST LIMIT :most""")  # noqa: S608 - built from constants


def due(tx: Tx, hours: int, most: int) -> tuple[str, ...]:
    """Returns apps that did not go live and were not compared in the last `hours`; those compared longest ago come
    first.

    An app whose comparison was requested within the last hour waits, so that failing comparisons do not hold back other
    apps.
    """
    return tuple(tx.scalars(_DUE, {"hours": hours, "most": most}))
