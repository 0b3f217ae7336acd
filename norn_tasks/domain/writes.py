"""What a step may change in our own tables, as values: the ledger writes them in the transaction that ends the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.execution import Finished
from norn_tasks.domain.schedule import Policy


@dataclass(frozen=True)
class SpecLearned:
    """The revision's own infraspec, which governs the rest of this deploy."""

    spec: Mapping[str, Any]
    revision: str


@dataclass(frozen=True)
class ImageBuilt:
    """The release's image, known and on an engine; `key` names source and build spec, so that it is not built again."""

    image: str
    image_id: str
    engine: str
    key: str
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImagePublished:
    """The release's image is in the registry, under `reference` (by digest); `place`: where its jobs may run now."""

    reference: str
    place: str | None


@dataclass(frozen=True)
class AddressReserved:
    """The app gets a loopback port of the router, from `first` to `last`, unless it has one."""

    app: str
    first: int
    last: int


@dataclass(frozen=True)
class AddressReleased:
    """The app gives its loopback port back."""

    app: str


@dataclass(frozen=True)
class ScheduleRegistered:
    """The app's schedule as its spec says it; the anchor of an unchanged `@every` is kept."""

    app: str
    schedule: str
    timezone: str
    concurrent: int
    policy: Policy = Policy()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class ScheduleRemoved:
    """The app has no schedule any more."""

    app: str


@dataclass(frozen=True)
class FunctionRegistered:
    """The app takes calls, so many at once."""

    app: str
    concurrent: int


@dataclass(frozen=True)
class FunctionRemoved:
    """The app takes no calls any more."""

    app: str


@dataclass(frozen=True)
class ReleaseLive:
    """The rollout has ended: this job's release is the live one. `generation` names the containers that serve it."""

    generation: int


@dataclass(frozen=True)
class TornDown:
    """Nothing of the app runs any more."""


@dataclass(frozen=True)
class WorkloadSeen:
    """A look at the cluster: one status per app. `complete`: apps not in it have nothing on `engine`."""

    statuses: tuple[WorkloadStatus, ...]
    complete: bool
    engine: str = ""


@dataclass(frozen=True)
class ContainersSeen:
    """All containers of ours on the engine, as (id, owner, seconds of age).

    Writing it learns the fact `orphans`: the ids whose owner is gone.
    """

    containers: tuple[tuple[str, str, float], ...]
    engine: str = ""


@dataclass(frozen=True)
class ImagesPruned:
    """These image ids of the app are gone from the engine."""

    app: str
    image_ids: tuple[str, ...]


@dataclass(frozen=True)
class ExecutionFinished:
    """The execution of this job has ended so."""

    finished: Finished


@dataclass(frozen=True)
class ImagesSeen:
    """All images of ours that are on this engine, by id."""

    engine: str
    image_ids: frozenset[str]


@dataclass(frozen=True)
class DeliveryTried:
    """A delivery was tried: `taken` by its receiver or not, and what it told."""

    delivery: int
    taken: bool
    told: str


@dataclass(frozen=True)
class DeadManCalled:
    """The dead man's address was called: `answered` or not, and what it told."""

    answered: bool
    told: str


Write = (
    SpecLearned
    | ImageBuilt
    | ImagePublished
    | AddressReserved
    | AddressReleased
    | ScheduleRegistered
    | ScheduleRemoved
    | FunctionRegistered
    | FunctionRemoved
    | ReleaseLive
    | TornDown
    | WorkloadSeen
    | ContainersSeen
    | ImagesPruned
    | ExecutionFinished
    | ImagesSeen
    | DeliveryTried
    | DeadManCalled
)
