"""Repairs: when an observation shows too few (or wrong) replicas of an app, a job restores the live release.

The app's live release and scale override define what should run, not the replicas that are left: missing replicas are
started again, and replicas of a rollout that was stopped from outside are removed. An observation is ignored if a
change of the app ended after the observation had begun. A failed repair is retried after a pause that doubles, so that
a repair that cannot succeed costs little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

from sqlalchemy import text

from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.domain.jobs.requests import RepairJobRequest
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.store.apps import scale
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue.jobs import NewJob, accept
from norn_tasks.store.rules import wanted
from norn_tasks.store.rules.lists import LONG_RUNNING_ROLES, OPEN_STATES

PATIENCE = 3600.0
FIRST_PAUSE, LONGEST_PAUSE = 30, 1800
"""Seconds between a repair that failed and the next one: after the first failure, and at most."""

_SETTLED = f"""
SELECT a.name, a.replicas_override, a.override_spec,
       l.generation, l.n, l.engine, l.image_id, l.spec, {wanted.BY_APP} AS wanted,
       EXISTS (SELECT 1 FROM replicas p WHERE p.app = l.app AND p.generation <> l.generation
               AND p.state <> 'draining') AS mixed
  FROM apps a JOIN live_releases l ON l.app = a.name
 WHERE a.cluster = :cluster AND (l.engine IS NULL OR l.engine IN (:engine, '{HOME}')) AND a.forge_state = 'forged'
   AND l.spec ->> 'role' IN {LONG_RUNNING_ROLES}
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.app = a.name AND j.exclusive AND j.state IN {OPEN_STATES})
"""  # noqa: S608 - built from constants
_LOCK = text("SELECT 1 FROM apps WHERE name = :app FOR UPDATE")
_ONE = text(f"{_SETTLED} AND a.name = :app")
_ALL = text(_SETTLED)

_CHANGES = text("""
SELECT kind, state, ended_at > :looked AS since, extract(epoch FROM clock_timestamp() - ended_at)::float8 AS ago
  FROM jobs WHERE app = :app AND exclusive ORDER BY id DESC LIMIT 8""")


@dataclass(frozen=True)
class StableApp:
    """An app with a live release and without a waiting or running change."""

    row: Row

    @property
    def mixed(self) -> bool:
        """True if a replica of another rollout than the live one has a row, and no job is going to remove it."""
        return bool(self.row["mixed"])

    def missing(self, seen: WorkloadStatus) -> int:
        """Returns how many of the live rollout's replicas were not seen; replicas of another rollout do not count."""
        return max(0, self.wanted - seen.present.count(self.row["generation"]))

    @property
    def wanted(self) -> int:
        """How many replicas should run."""
        return int(self.row["wanted"])


def stable_apps(tx: Tx, cluster: str, engine: str) -> dict[str, StableApp]:
    """Returns, by name, the stable apps of a cluster with an image that is in the registry or on `engine`."""
    rows = tx.execute(_ALL, {"cluster": cluster, "engine": engine}).mappings()
    return {row["name"]: StableApp(row) for row in rows}


def measured_against_wanted(name: str, app: StableApp, seen: WorkloadStatus | None) -> WorkloadStatus:
    """Returns the observation of a stable app, compared with the replicas that it should have."""
    if seen is None:
        what = "its replica is" if app.wanted == 1 else f"all its {app.wanted} replicas are"
        return WorkloadStatus(name, app.wanted, 0, message=f"{what} gone from the engine" if app.wanted else "")
    return seen if app.wanted <= seen.wanted else replace(seen, wanted=app.wanted)


def request_repairs(tx: Tx, look: Row, found: WorkloadSeen, seen: Mapping[str, WorkloadStatus]) -> list[int]:
    """Accepts a repair of each stable app that has too few replicas, or replicas of another rollout.

    Returns the jobs. `look` is the job that observed the cluster, `seen` are the statuses of the cluster's apps.
    """
    asked = [
        _request(tx, look, found, name, app.missing(seen[name]))
        for name, app in sorted(stable_apps(tx, found.cluster, found.engine).items())
        if name in seen and (app.missing(seen[name]) or app.mixed)
    ]
    return [job for job in asked if job is not None]


def _request(tx: Tx, look: Row, found: WorkloadSeen, name: str, missing: int) -> int | None:
    # The lock is taken first, so that the following statement sees a change that is being accepted at this moment.
    tx.execute(_LOCK, {"app": name})
    app = tx.execute(_ONE, {"cluster": found.cluster, "engine": found.engine, "app": name}).mappings().one_or_none()
    if app is None or _too_soon(tx, look, name):
        return None
    request = RepairJobRequest(app["image_id"], scale.override_of(app), app["generation"], missing)
    new = NewJob(
        request, name, "norn", PATIENCE, spec=app["spec"], release=app["n"], dedupe_key="repair",
        cluster=found.cluster, engine=found.engine,
    )  # fmt: skip
    return accept(tx, new)


def _too_soon(tx: Tx, look: Row, name: str) -> bool:
    """Returns True if a change ended after the observation began, or if the last repairs failed a short while ago."""
    changes = list(tx.execute(_CHANGES, {"app": name, "looked": look["first_claimed_at"]}))
    failed = list(takewhile(lambda job: job.kind == JobKind.REPAIR and job.state != JobState.SUCCEEDED, changes))
    pause = doubling_pause(FIRST_PAUSE, len(failed), most=LONGEST_PAUSE) if failed else 0
    return any(change.since for change in changes) or (bool(changes) and changes[0].ago < pause)
