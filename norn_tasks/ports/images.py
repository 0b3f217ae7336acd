"""The port that builds and stores images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from norn_tasks.ports.watch import Watch


@dataclass(frozen=True)
class BuildOrder:
    """An image to build. `context` is a private copy of the source, `target` a stage or None.

    The image belongs to `app` of the control plane `instance`, and `key` names its revision and Dockerfile. `group`:
    the apps that have their infraspecs in the source, separated by commas; their builds share cached steps. `another`:
    the job will build another image after this one, and keeps its turn to build until then.
    """

    context: Path
    dockerfile: str
    tag: str
    app: str
    key: str = ""
    instance: str = ""
    target: str | None = None
    another: bool = False
    group: str = ""


@dataclass(frozen=True)
class Image:
    """An image on the engine. `user` is its configured user ('' is root); `instance` names its control plane."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    user: str = ""
    size: int = 0
    stages: tuple[str, ...] = ()
    instance: str = ""


class BuildQueue(Protocol):
    """Allows one build at a time on an engine."""

    def turn(self, watch: Watch, *, keep: bool = False) -> AbstractContextManager[None]:
        """Holds the engine's turn to build inside the block; raises Stopped, or Postponed while another job has the
        turn.

        With `keep` the job keeps the turn after the block, until it has used another block or ends.
        """


class Images(Protocol):
    """Builds and keeps images."""

    engine: str
    """The name of the engine that has them, in `Tools.engines`."""

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds within limits, and passes on the builder's output while it runs. If the job is stopped, all processes
        of the build are ended.

        Raises BuildFailed with the last line, SourceError for a missing Dockerfile, DiskFull, TimedOut, EngineDown, and
        Postponed while another job builds.
        """

    def find(self, reference: str) -> Image | None:
        """Returns the image with a tag or id; None if it does not exist."""

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Pushes an image to the registry under `name` (`path:tag`), and returns its reference there, by digest.

        Returns None if no registry is configured. Raises RegistryFailed.
        """

    def pull(self, reference: str, watch: Watch) -> Image:
        """Fetches a published image by its reference; raises RegistryFailed."""

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Returns the images that carry Norn's label for the app."""

    def ids(self) -> frozenset[str]:
        """Returns the ids of all images that carry Norn's label, of any app."""

    def trim_cache(self) -> int:
        """Trims the builder's cache to its limit; returns the number of bytes removed."""

    def stages_of(self, app: str) -> tuple[str, ...]:
        """Returns the ids of the untagged images of stages that builds of the app left behind."""

    def remove(self, image_id: str) -> bool:
        """Removes an image that carries Norn's label, with all its tags; returns False if it is in use, or has no such
        label.
        """

    def remove_stage(self, image_id: str) -> bool:
        """Removes the image of a build stage; returns False if something uses it, or if it has a tag or Norn's label.

        The labels are checked because the ids of stages are read from the output of the build. The app's own programs
        write into that output too, so an id may be false.
        """


class RegistryImages(Protocol):
    """The images of apps whose infraspec names an image in a registry instead of a build.

    These images do not have Norn's label. Instead, Norn gives each a tag for the app, which keeps it on the engine.
    """

    def resolve(self, reference: str, watch: Watch) -> str:
        """Returns the digest that a reference has in its registry now; raises RegistryFailed with the reason."""

    def pull(self, reference: str, app: str, watch: Watch) -> Image:
        """Pulls the image that a reference by digest names, unless the engine has it, and keeps it for the app.

        Raises RegistryFailed, SourceError if no app may use the image, or DiskFull.
        """

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that are kept for the app."""

    def ids(self) -> frozenset[str]:
        """Lists the ids of the images that are kept for any app of this control plane."""

    def drop(self, image: Image, app: str) -> bool:
        """Stops keeping an image for the app, and removes the image if it has no other name; returns False while it is
        in use.
        """
