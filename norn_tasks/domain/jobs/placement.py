"""Where a job may run: the capabilities that it requires of its worker, and its share of the worker's slots.

A worker announces what it can do at this moment, a job requires a part of that, and a claim takes only what the worker
can do. The column `jobs.requires` derives the requirements from the job's kind, its pin and its container.
"""

from __future__ import annotations

from typing import Final

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import JobClass, JobKind

HOME: Final = "home"
"""The worker's engine holds the volumes and the containers of webservers and workers. A job can be pinned to it."""
BUILDS: Final = "builds"
"""The worker can build images: the engine that keeps them answers."""
ENGINE: Final = "engine:"
RUNTIME: Final = "runtime:"
CLUSTER: Final = "cluster:"
NEST: Final = "nest"
"""The name with which a worker announces that its runs start in the nest. No job requires it."""
DEPLOYS: Final = "deploys"
"""The share to which all deploys, snapshots and drills count, of the slots of the class `deploy`."""
LONG_KINDS: Final = (JobKind.DEPLOY, JobKind.SNAPSHOT, JobKind.DRILL)
"""The kinds that count to that share."""
SLOTS_PER_FREE_SLOT: Final = 3
"""How many slots of a worker an app may have for each free one: alone, it gets three quarters of them."""


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
    """Returns what a worker with this capability does, in words that follow `no worker`."""
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
    """Returns HOME for an app with replicas or volumes on the home engine; None for the others.

    `apart`: the app lives in a cluster on machines of its own.
    """
    return HOME if not apart and (spec.role.long_running or spec.volumes) else None


def share_of(job_class: JobClass, kind: JobKind, app: str) -> str | None:
    """Returns the share to which a job counts; None for a job that gets any free slot."""
    if job_class.runs_code:
        return app
    return DEPLOYS if kind in LONG_KINDS else None


def has_place(job_class: JobClass, slots: int, busy: int, mine: int) -> bool:
    """Returns true if a share that has `mine` of a worker's `busy` slots may get another one.

    An app gets no slot that is the last free one, unless it has none. Deploys get half of the slots, since each may
    build for half an hour; the others are for rollbacks, restarts, scales, repairs, teardowns and forges.
    """
    if not job_class.runs_code:
        return mine < max(slots // 2, 1)
    free = slots - busy
    return mine == 0 or (free > 1 and mine < SLOTS_PER_FREE_SLOT * free)
