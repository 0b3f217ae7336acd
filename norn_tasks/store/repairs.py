"""The repair: what serves an app is again what should, by a job that the next look at the cluster asks for.

What should run is what the app says (its live release, its scale override), and never what is left of it: replicas that
are gone come back, and those of a rollout that was ended from outside go. A look that began before a change of the app
ended tells nothing: whatever it missed may be back. A repair that failed is tried again after a pause that doubles, so
that what cannot be mended costs little and is mended when it can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

from sqlalchemy import text

from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.job import JobKind, JobState
from norn_tasks.domain.placing import HOME
from norn_tasks.store import acceptance
from norn_tasks.store.jobs import NewJob, accept
from norn_tasks.store.session import Row, Tx

PATIENCE = 3600.0
FIRST_PAUSE, LONGEST_PAUSE = 30, 1800
"""Seconds between a repair that failed and the next one."""

_SETTLED = f"""
SELECT a.name, a.replicas_override, a.override_spec, a.live_generation AS generation,
       r.n, r.engine, r.image_id, r.spec, coalesce(CAST(r.spec ->> 'replicas' AS int), 1) AS replicas,
       EXISTS (SELECT 1 FROM replicas p WHERE p.app = a.name AND p.generation <> a.live_generation) AS mixed
  FROM apps a JOIN deployments d ON d.id = a.live_deployment JOIN releases r ON r.app = d.app AND r.n = d.release
 WHERE r.engine IN (:engine, '{HOME}') AND a.forge_state = 'forged' AND r.spec ->> 'role' IN ('webserver', 'worker')
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.app = a.name AND j.exclusive AND j.state IN ('queued', 'running'))
"""  # noqa: S608 - built from a constant
_LOCK = text("SELECT 1 FROM apps WHERE name = :app FOR UPDATE")
_ONE = text(f"{_SETTLED} AND a.name = :app")
_ALL = text(_SETTLED)

_CHANGES = text("""
SELECT kind, state, ended_at > :looked AS since, extract(epoch FROM clock_timestamp() - ended_at)::float8 AS ago
  FROM jobs WHERE app = :app AND exclusive ORDER BY id DESC LIMIT 8""")


@dataclass(frozen=True)
class Settled:
    """An app with a live release, and no change of it waits or runs; `wanted` is how many replicas should be there."""

    row: Row

    @property
    def mixed(self) -> bool:
        """True when a replica of another rollout than the live one has a row: nobody is about to take it away."""
        return bool(self.row["mixed"])

    def missing(self, seen: WorkloadStatus) -> int:
        """Answers how many of the live rollout's replicas were not seen; those of another are none of them."""
        return max(0, self.wanted - seen.present.count(self.row["generation"]))

    @property
    def wanted(self) -> int:
        """The override's number while the spec's has not changed since, else the spec's."""
        row = self.row
        overridden = row["replicas_override"] is not None and row["override_spec"] == row["replicas"]
        return int(row["replicas_override"] if overridden else row["replicas"])


def settled(tx: Tx, engine: str) -> dict[str, Settled]:
    """Answers the settled apps of an engine by name."""
    return {row["name"]: Settled(row) for row in tx.execute(_ALL, {"engine": engine}).mappings()}


def truly(name: str, app: Settled, seen: WorkloadStatus | None) -> WorkloadStatus:
    """Answers what was seen of a settled app, measured by what it wants and not by what is left of it."""
    if seen is None:
        what = "its replica is" if app.wanted == 1 else f"all its {app.wanted} replicas are"
        return WorkloadStatus(name, app.wanted, 0, message=f"{what} gone from the engine" if app.wanted else "")
    return seen if app.wanted <= seen.wanted else replace(seen, wanted=app.wanted)


def request_repairs(tx: Tx, look: Row, engine: str, seen: Mapping[str, WorkloadStatus]) -> list[int]:
    """Accepts a repair of each settled app that has fewer replicas than it wants or some of another rollout.

    Answers the jobs. `look` is the job that saw them, `seen` what it saw by app.
    """
    asked = [
        _request(tx, look, engine, name, app.missing(seen[name]))
        for name, app in sorted(settled(tx, engine).items())
        if name in seen and (app.missing(seen[name]) or app.mixed)
    ]
    return [job for job in asked if job is not None]


def _request(tx: Tx, look: Row, engine: str, name: str, missing: int) -> int | None:
    # With the lock first: a change that is being accepted at this moment is then seen by the statement after it.
    tx.execute(_LOCK, {"app": name})
    app = tx.execute(_ONE, {"engine": engine, "app": name}).mappings().one_or_none()
    if app is None or _too_soon(tx, look, name):
        return None
    args = {
        "generation": app["generation"], "image_id": app["image_id"], "override": acceptance.override_of(app),
        "missing": missing,
    }  # fmt: skip
    new = NewJob(
        JobKind.REPAIR, name, "norn", PATIENCE, spec=app["spec"], args=args, engine=engine, release=app["n"],
        dedupe_key="repair",
    )  # fmt: skip
    return accept(tx, new)


def _too_soon(tx: Tx, look: Row, name: str) -> bool:
    """True when a change ended after the look had begun, or when the last repairs failed a short while ago."""
    changes = list(tx.execute(_CHANGES, {"app": name, "looked": look["first_claimed_at"]}))
    failed = list(takewhile(lambda job: job.kind == JobKind.REPAIR and job.state != JobState.SUCCEEDED, changes))
    pause = min(FIRST_PAUSE * 2 ** (len(failed) - 1), LONGEST_PAUSE) if failed else 0
    return any(change.since for change in changes) or (bool(changes) and changes[0].ago < pause)
