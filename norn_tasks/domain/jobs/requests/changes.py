"""Requests of jobs that change the infrastructure of an app, its release or its replicas, or compare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest
from norn_tasks.domain.jobs.requests.keys import MAY_OPEN, OVERRIDE
from norn_tasks.domain.jobs.requests.sources import Source
from norn_tasks.domain.stored import dump, load


@dataclass(frozen=True)
class Override:
    """The app's scale override, as it was when the job was accepted."""

    replicas: int
    """The number of replicas that run while the override applies."""
    spec: int
    """The override applies only as long as the spec asks for this number of replicas."""


@dataclass(frozen=True)
class ForgeJobRequest(JobRequest):
    """Creates or renews the infrastructure of an app."""

    kind = JobKind.FORGE

    override: Override | None
    """The app's scale override when the job was accepted."""
    force: bool = False
    """The infrastructure is torn down first."""
    image_id: str | None = None
    """The image of the live release, if the forge makes a new release with that image; only known after the forge has
    begun.
    """
    move_from: str | None = None
    """The cluster that the app leaves, if the forge moves it to the cluster of the job."""


@dataclass(frozen=True)
class DeployJobRequest(JobRequest):
    """Makes a new release of an app, and makes it the live one."""

    kind = JobKind.DEPLOY

    source: Source
    """The source of its code."""
    override: Override | None
    """The app's scale override when the job was accepted."""
    may_open: bool = False
    """The sender may deploy a spec that lets anyone call the function."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON for the job's row; the keys of the source are on the same level as the other keys."""
        override = None if self.override is None else asdict(self.override)
        opens = {MAY_OPEN: True} if self.may_open else {}
        return {**dump(self.source), OVERRIDE: override, **opens}

    @classmethod
    def from_json(cls, args: Mapping[str, Any]) -> Self:
        """Reads a request from the arguments in a row; raises JobUnreadable."""
        return load(cls, {"source": dict(args), OVERRIDE: args.get(OVERRIDE), MAY_OPEN: args.get(MAY_OPEN, False)})


@dataclass(frozen=True)
class ReplicasJobRequest(JobRequest):
    """A change of the replicas of a release that exists."""

    image_id: str
    """The image of the release."""
    override: Override | None
    """The app's scale override when the job was accepted, or the one that the job sets."""
    generation: int | None = None
    """The generation whose replicas the job keeps; None if the job starts a new generation."""


@dataclass(frozen=True)
class RollbackJobRequest(ReplicasJobRequest):
    """Makes an earlier release live again, or restores the live one after a failed rollout."""

    kind = JobKind.ROLLBACK

    return_to: int | None = None
    """If the job restores the app after a failed rollout: the deployment that was live when the job was accepted."""


@dataclass(frozen=True)
class RestartJobRequest(ReplicasJobRequest):
    """Replaces the replicas of the live release, one after the other."""

    kind = JobKind.RESTART

    rotate: bool | None = None
    """If True, the app first gets new passwords for its services. If the app has no replicas, the job does nothing
    else.
    """
    now: bool | None = None
    """If True, no old replica drains: each ends after the ordinary wait for open requests, even one that has been
    draining since an earlier change.
    """


@dataclass(frozen=True)
class ScaleJobRequest(ReplicasJobRequest):
    """Changes the number of replicas of the live release."""

    kind = JobKind.SCALE


@dataclass(frozen=True)
class RepairJobRequest(ReplicasJobRequest):
    """Restores the replicas that an observation found missing."""

    kind = JobKind.REPAIR

    missing: int = 0
    """How many were missing."""


@dataclass(frozen=True)
class CompareJobRequest(ReplicasJobRequest):
    """Compares the running app with its live release, and changes nothing."""

    kind = JobKind.COMPARE


Overridable = ForgeJobRequest | DeployJobRequest | ReplicasJobRequest
"""The requests that carry the app's scale override."""


@dataclass(frozen=True)
class TeardownJobRequest(JobRequest):
    """Removes everything that forge made."""

    kind = JobKind.TEARDOWN

    purge: bool = False
    """If True, the app's volumes are removed too."""
