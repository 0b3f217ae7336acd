"""Where a job may run: the capabilities that it requires of its worker, and its share of the worker's slots.

A worker announces its capabilities of this moment. A job requires some capabilities, and only a worker that has all of
them can claim it. The column `jobs.requires` has the requirements, which PostgreSQL computes from other columns, such
as the job's kind, cluster, container and pinned engine.
"""

from __future__ import annotations

from typing import Final

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import JobClass, JobKind

HOME: Final = "home"
"""The capability of a worker on the home engine, which has the volumes and replicas. A job can be pinned to it."""
BUILDS: Final = "builds"
"""The capability of a worker that can build images, because the engine that keeps the images answers."""
ENGINE: Final = "engine:"
RUNTIME: Final = "runtime:"
CLUSTER: Final = "cluster:"
NEST: Final = "nest"
"""The name that follows `runtime:` when a worker announces that its runs start in the nest. No job requires it."""
DEPLOYS: Final = "deploys"
"""The name of the share that all deploys, snapshots and drills have together in the slots of the class `deploy`."""
LONG_KINDS: Final = (JobKind.DEPLOY, JobKind.SNAPSHOT, JobKind.DRILL)
"""The kinds of jobs that count towards the share `deploys`."""
SLOTS_PER_FREE_SLOT: Final = 3
"""How many slots of a worker an app may hold for each free slot: an app that is alone there gets three quarters."""


def engine_capability(engine: str) -> str:
    """Returns the capability of a worker whose engine with this id answers."""
    return f"{ENGINE}{engine}"


def runtime_capability(runtime: str) -> str:
    """Returns the capability of a worker that has this runtime on an engine that answers."""
    return f"{RUNTIME}{runtime}"


def cluster_capability(cluster: str) -> str:
    """Returns the capability of a worker that reaches the cluster of this name."""
    return f"{CLUSTER}{cluster}"


def described(capability: str) -> str:
    """Returns words about a worker with this capability, which continue a sentence that begins with `no worker`."""
    word, _, name = capability.partition(":")
    words = {
        HOME: "reaches the home engine",
        BUILDS: "can build images now",
        "engine": f"reaches the engine {name[:12]}",
        "runtime": f"has the runtime {name} on an engine that answers",
        "cluster": f"reaches the cluster {name}",
    }
    return words[word]


def place_of(spec: Infraspec, *, apart: bool) -> str | None:
    """Returns HOME for an app with replicas or volumes on the home engine; None for any other app.

    `apart`: the app lives in a cluster on machines of its own.
    """
    return HOME if not apart and (spec.role.long_running or spec.volumes) else None


def share_of(job_class: JobClass, kind: JobKind, app: str) -> str | None:
    """Returns the name of the share towards which a job counts; None for a job that may take any free slot."""
    if job_class.runs_code:
        return app
    return DEPLOYS if kind in LONG_KINDS else None


def has_place(job_class: JobClass, slots: int, busy: int, mine: int) -> bool:
    """Returns True if a share that has `mine` of a worker's `busy` slots may get another slot.

    An app gets the last free slot only if it has no other. Deploys get only half of the slots, because each of them may
    build for half an hour; the other half is for rollbacks, restarts, scales, repairs, forges and other short jobs.
    """
    if not job_class.runs_code:
        return mine < max(slots // 2, 1)
    free = slots - busy
    return mine == 0 or (free > 1 and mine < SLOTS_PER_FREE_SLOT * free)
