"""Where a job may run: the capabilities that it requires of its worker, and its share of the worker's slots.

A worker regularly announces the capabilities that it has at that moment. A job requires some capabilities, and only a
worker that has all of them can claim it. The column `jobs.requires` has the requirements, which PostgreSQL computes
from other columns, such as the job's kind, cluster, container and pinned engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from norn_tasks.domain.jobs.job import JobClass, JobKind

if TYPE_CHECKING:  # Every process imports the settings, which import this module, and the models of specs take 8 MiB.
    from norn_tasks.domain.infraspec import Infraspec

HOME: Final = "home"
"""The capability of a worker on the home engine, which holds the volumes and replicas. A job can be pinned to this
engine.
"""
BUILDS: Final = "builds"
"""The capability of a worker that can build images, because the engine that stores the images answers."""
ENGINE: Final = "engine:"
RUNTIME: Final = "runtime:"
CLUSTER: Final = "cluster:"
NEST: Final = "nest"
"""In a worker's announcement, this name after `runtime:` means that its runs start in the nest (the container in which
crun starts runs). No job requires it.
"""
DEPLOYS: Final = "deploys"
"""All deploys, snapshots and drills together count as one "app" when slots of the class `deploy` are shared out; this
is its name.
"""
LONG_KINDS: Final = (JobKind.DEPLOY, JobKind.SNAPSHOT, JobKind.DRILL)
"""The kinds of jobs that count towards `DEPLOYS`."""
SLOTS_PER_FREE_SLOT: Final = 3
"""How many of a worker's slots an app may hold for each free slot. So an app that is alone on a worker gets three
quarters of the worker's slots.
"""


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
    """Returns words about a worker with this capability; they follow the words `no worker` in a sentence."""
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

    `apart`: the app runs on Kubernetes.
    """
    return HOME if not apart and (spec.role.long_running or spec.volumes) else None


def share_of(job_class: JobClass, kind: JobKind, app: str) -> str | None:
    """Returns the name under which a job is counted when slots are shared out; None for a job that may use any free
    slot.
    """
    if job_class.runs_code:
        return app
    return DEPLOYS if kind in LONG_KINDS else None


def has_place(job_class: JobClass, slots: int, busy: int, mine: int) -> bool:
    """Returns True if another job with the same share name may start, when `mine` of a worker's `busy` slots already
    have that name.

    An app gets the last free slot only if it has no other. Deploys get only half of the slots, because each of them may
    build for half an hour; the other half is for rollbacks, restarts, scales, repairs, forges and other short jobs.
    """
    if not job_class.runs_code:
        return mine < max(slots // 2, 1)
    free = slots - busy
    return mine == 0 or (free > 1 and mine < SLOTS_PER_FREE_SLOT * free)
