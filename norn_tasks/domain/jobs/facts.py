"""The facts of a job: values that a step has learned, and that later steps, the ledger or readers of the job use.

Each class is one fact. The ledger stores all facts of a job in one JSON object, with the fields of the classes as keys;
so no two classes may have a field of the same name. Code outside this module never writes such a key as a string; SQL
uses the constants at the top of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Final, Self, TypeVar

from norn_tasks.domain.stored import dump, load

IMAGE_ID: Final = "image_id"
"""The key of `BuiltImage.image_id`. A deploy that already has this fact needs no memory for a build."""
ORPHANS_REMOVED: Final = "orphans_removed"
"""The key of `RemovedOrphans.orphans_removed`."""


@dataclass(frozen=True)
class Fact:
    """A value, or several, that a step has learned."""

    def to_json(self) -> dict[str, Any]:
        """Returns the keys and values with which this fact is stored in the job's row."""
        return dump(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self | None:
        """Reads the fact from a job's facts; returns None if its step has not ended yet."""
        if any(field.name not in facts for field in fields(cls) if field.default is MISSING):
            return None
        return load(cls, facts)


@dataclass(frozen=True)
class StepPlan(Fact):
    """The steps that the job is going to take."""

    plan: tuple[str, ...]
    """Their names, in order; the first ones may have ended already."""


@dataclass(frozen=True)
class SourceRevision(Fact):
    """The source that was checked out."""

    revision: str
    """A commit of the repository, or the hash of the files that were uploaded."""


@dataclass(frozen=True)
class BuiltImage(Fact):
    """The release's image, which an engine has."""

    image_id: str
    """The engine's id of the image."""
    key: str
    """The hash of the app, the source revision and the path of the Dockerfile. A later deploy with the same key uses
    the same image.
    """


@dataclass(frozen=True)
class PublishedImage(Fact):
    """The release's image in the registry."""

    published: str
    """The reference by digest, with which every engine can pull it."""


@dataclass(frozen=True)
class LeftCluster(Fact):
    """The app has moved to the cluster of the job, and requests go there."""

    left: str
    """The cluster that it has left."""


@dataclass(frozen=True)
class ServiceAddress(Fact):
    """The address at which the cluster exposes a webserver."""

    address: str
    """A URL: the router's port of the app, or a Service."""


@dataclass(frozen=True)
class KeptImages(Fact):
    """The images that pruning keeps and the stages that it removes, decided when the release went live."""

    keep_images: tuple[str, ...]
    """The ids of the images that the app still needs."""
    spent_stages: tuple[str, ...] = ()
    """The ids of the build stages from which no kept image was built."""


@dataclass(frozen=True)
class SecretVersions(Fact):
    """The secrets that went live with the release."""

    secrets: Mapping[str, int]
    """The version of each secret by its name."""


@dataclass(frozen=True)
class OrphanedContainers(Fact):
    """The containers on the worker's engines that belong to no job and no replica."""

    orphaned: tuple[tuple[str, str], ...]
    """For each container, the id of its engine and its own id on this engine."""


@dataclass(frozen=True)
class RemovedOrphans(Fact):
    """The removal of the orphaned containers."""

    orphans_removed: int
    """How many of them were removed."""


@dataclass(frozen=True)
class RequestedRepairs(Fact):
    """The repairs that an observation asked for."""

    repairs: tuple[int, ...]
    """The ids of their jobs."""


@dataclass(frozen=True)
class ProgramExit(Fact):
    """The end of a program in a replica."""

    exit_code: int
    """Its exit code."""


@dataclass(frozen=True)
class NewServerKey(Fact):
    """The new key for which a rotation encrypts all secrets."""

    public: str
    """The public key."""


KINDS: Final = (
    StepPlan, SourceRevision, BuiltImage, PublishedImage, KeptImages, SecretVersions, OrphanedContainers,
    RemovedOrphans, RequestedRepairs, ProgramExit, LeftCluster, ServiceAddress, NewServerKey,
)  # fmt: skip

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Facts:
    """The facts of a job so far, at most one of each class."""

    known: tuple[Fact, ...] = ()
    """The facts, in no order."""

    def get(self, kind: type[F]) -> F | None:
        """Returns the fact of this class; None if no step has learned it."""
        return next((fact for fact in self.known if isinstance(fact, kind)), None)

    def require(self, kind: type[F]) -> F:
        """Returns the fact of this class; raises LookupError if no earlier step has learned it."""
        fact = self.get(kind)
        if fact is None:
            raise LookupError(f"no step has learned {kind.__name__}")
        return fact

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Reads the facts from a job's row; unknown keys are ignored."""
        return cls(_known(facts) if facts else _of_nothing())


def _known(facts: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple(fact for kind in KINDS if (fact := kind.from_json(facts)) is not None)


@cache
def _of_nothing() -> tuple[Fact, ...]:
    """Returns the facts of a job that has learned nothing yet. They are computed only once, because each run begins
    with them.
    """
    return _known({})


NOTHING_LEARNED: Final = Facts()


def to_json(facts: tuple[Fact, ...]) -> dict[str, Any]:
    """Returns the keys and values of several facts."""
    return {key: value for fact in facts for key, value in fact.to_json().items()}
