"""Changes in Norn's own tables that a step may return, as values. The ledger carries them out when the step ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.execution import ExecutionVerdict
from norn_tasks.domain.schedule import Policy
from norn_tasks.domain.services import SeenDatabase
from norn_tasks.domain.tunnel.external_host import SeenRoute, TunnelCheck
from norn_tasks.domain.tunnel.team_keys import TeamKey


@dataclass(frozen=True)
class SpecLearned:
    """The infraspec in the source revision, which applies to the rest of this deploy."""

    spec: Mapping[str, Any]
    revision: str


@dataclass(frozen=True)
class ImageBuilt:
    """The release's image is on an engine. Later deploys find it by `key`, which `facts.BuiltImage` explains."""

    image: str
    image_id: str
    engine: str
    key: str
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImagePublished:
    """The release's image is in the registry, under `reference` (by digest).

    `place`: the engine to which the release's jobs are pinned now; None if they may run on any engine.
    """

    reference: str
    place: str | None


@dataclass(frozen=True)
class BranchSeen:
    """The newest commit of a branch; None if the branch no longer exists, or if git could not read it (`error`)."""

    repository: str
    branch: str
    revision: str | None
    error: str = ""


@dataclass(frozen=True)
class TeamKeysSeen:
    """The keys with which Cloudflare Access signs a team's tokens; empty if they could not be fetched (`error`)."""

    issuer: str
    keys: tuple[TeamKey, ...]
    error: str = ""


@dataclass(frozen=True)
class PushDecided:
    """The decision about a push, for the app of the job, as a sentence."""

    outcome: str


@dataclass(frozen=True)
class AppExposed:
    """Clients outside of the app's cluster reach the app at `address`."""

    app: str
    address: str


@dataclass(frozen=True)
class AppMoved:
    """The app has moved to `cluster`; the router sends its requests to `entrance`, an address `host:port` there.

    `entrance` is None for an app without an address.
    """

    cluster: str
    entrance: str | None


@dataclass(frozen=True)
class AppUnexposed:
    """The app has no address outside of its cluster."""

    app: str


@dataclass(frozen=True)
class ScheduleRegistered:
    """The app has the schedule of its infraspec. An unchanged `@every` keeps the time from which it counts."""

    app: str
    schedule: str
    timezone: str
    concurrent: int
    policy: Policy = Policy()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class ScheduleRemoved:
    """The app has no schedule."""

    app: str


@dataclass(frozen=True)
class FunctionRegistered:
    """The app accepts calls; `concurrent` of them may run at the same time."""

    app: str
    concurrent: int


@dataclass(frozen=True)
class FunctionRemoved:
    """The app accepts no calls."""

    app: str


@dataclass(frozen=True)
class ReleaseLive:
    """The rollout has ended, and this job's release is live; the containers of `generation` serve it."""

    generation: int


@dataclass(frozen=True)
class DatabaseMigrated:
    """The migration of this job's release has changed the app's database."""


@dataclass(frozen=True)
class TornDown:
    """No part of the app runs any longer."""


@dataclass(frozen=True)
class WorkloadSeen:
    """An observation of a cluster, with one status for each app.

    `complete`: all apps were observed, so an app of this cluster without a status has no replica. `engine`: the engine
    of the worker that made the observation. An app is repaired only if its image is on this engine or in the registry.
    """

    cluster: str
    statuses: tuple[WorkloadStatus, ...]
    complete: bool
    engine: str = ""


@dataclass(frozen=True)
class DriftSeen:
    """A comparison of a running app with its live release."""

    app: str
    """The app."""
    found: tuple[Drift, ...]
    """The fields that others have changed; empty if all fields are as Norn set them."""


@dataclass(frozen=True)
class EngineLook:
    """All containers of this control plane on one engine, each as (id, owner, seconds of age)."""

    engine: str
    containers: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class ContainersSeen:
    """The containers on each engine of a worker; the ledger finds the ones that belong to no job and no replica."""

    looks: tuple[EngineLook, ...]


@dataclass(frozen=True)
class RunsReachSeen:
    """The addresses and features that containers of runs can reach on an engine, in the fields of `ports.RunsReach`."""

    engine: str
    address: str
    host: bool | None
    metadata: bool | None
    io_uring: bool | None = None
    vsock: bool | None = None
    runc: str | None = None


@dataclass(frozen=True)
class ImagesPruned:
    """These image ids of the app no longer exist on the engine."""

    app: str
    image_ids: tuple[str, ...]


@dataclass(frozen=True)
class ExecutionFinished:
    """The execution of this job has ended with this verdict."""

    finished: ExecutionVerdict


@dataclass(frozen=True)
class ImagesSeen:
    """The ids of all images of this control plane on the engine."""

    engine: str
    image_ids: frozenset[str]


@dataclass(frozen=True)
class DeliveryTried:
    """A delivery was tried."""

    delivery: int
    """The delivery."""
    taken: bool
    """The receiver accepted it."""
    outcome: str
    """The answer in a sentence."""
    pause: float | None = None
    """The seconds that the receiver asked Norn to wait before the next try."""
    left: tuple[str, ...] = ()
    """The mail addresses that have not received it yet, if other addresses have."""


@dataclass(frozen=True)
class DeadManCalled:
    """The address of the dead man's switch was called: `answered` says whether it answered, `outcome` is a sentence."""

    answered: bool
    outcome: str


@dataclass(frozen=True)
class TunnelSeen:
    """An observation of the tunnel and its DNS records: the findings, and the state of each public host name."""

    checks: tuple[TunnelCheck, ...]
    routes: tuple[SeenRoute, ...]


@dataclass(frozen=True)
class EdgeSeen:
    """An observation of the edge: the state and the certificate of each public host name."""

    routes: tuple[SeenRoute, ...]


@dataclass(frozen=True)
class DatabasesSeen:
    """An observation of the databases of apps on their server."""

    databases: tuple[SeenDatabase, ...]


Write = (
    SpecLearned
    | ImageBuilt
    | ImagePublished
    | PushDecided
    | BranchSeen
    | TeamKeysSeen
    | AppExposed
    | AppMoved
    | AppUnexposed
    | ScheduleRegistered
    | ScheduleRemoved
    | FunctionRegistered
    | FunctionRemoved
    | ReleaseLive
    | DatabaseMigrated
    | TornDown
    | WorkloadSeen
    | DriftSeen
    | ContainersSeen
    | RunsReachSeen
    | ImagesPruned
    | ExecutionFinished
    | ImagesSeen
    | DeliveryTried
    | DeadManCalled
    | TunnelSeen
    | EdgeSeen
    | DatabasesSeen
)
