"""Builds and keeps images."""

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
    the apps whose specs are in the source, separated by commas; their builds share cached steps. `another`: the job
    builds another image after this one, and keeps its turn to build until then.
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
        """Holds the engine's turn to build for the block; raises Postponed while another job has the turn, and Stopped.

        With `keep` the job has the turn after the block too, until it has taken and left the turn once more, or ends.
        """


class Images(Protocol):
    """Builds and keeps images."""

    engine: str
    """The name of the engine that has them, in `Tools.engines`."""

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds with live output and limits; when it is stopped, all processes of the build are ended.

        Raises BuildFailed with the last line, SourceError for a missing Dockerfile, DiskFull, TimedOut, EngineDown, and
        Postponed while another job builds.
        """

    def find(self, reference: str) -> Image | None:
        """Returns the image of a tag or id, None when it is not there."""

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Pushes an image to the registry under `name` (`path:tag`), and returns its reference there, by digest.

        Returns None if no registry is configured. Raises RegistryFailed.
        """

    def pull(self, reference: str, watch: Watch) -> Image:
        """Fetches a published image by its reference; raises RegistryFailed."""

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that carry our label for the app."""

    def ids(self) -> frozenset[str]:
        """Lists the ids of all images that carry our label, of any app."""

    def trim_cache(self) -> int:
        """Trims the builder's cache to its limit; returns the number of bytes removed."""

    def stages_of(self, app: str) -> tuple[str, ...]:
        """Lists the ids of the untagged images of stages that builds of the app left behind."""

    def remove(self, image_id: str) -> bool:
        """Removes an image that carries our label, with all its tags; False when it is used, or has no such label."""

    def remove_stage(self, image_id: str) -> bool:
        """Removes the image of a stage; False when something still uses it, or it has a tag or our label.

        The ids of the stages are read from the output of the build. The app's own programs write into that output too,
        so an id may be false.
        """


class RegistryImages(Protocol):
    """The images of apps whose infraspec names an image in a registry instead of a build.

    These images do not have our label. A tag of ours for each app keeps them on the engine instead.
    """

    def resolve(self, reference: str, watch: Watch) -> str:
        """Returns the digest that a reference has in its registry now; raises RegistryFailed with the reason."""

    def pull(self, reference: str, app: str, watch: Watch) -> Image:
        """Fetches the image that a reference by digest names, unless the engine has it, and keeps it for the app.

        Raises RegistryFailed, SourceError for an image that no app may have, DiskFull.
        """

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that are kept for the app."""

    def ids(self) -> frozenset[str]:
        """Lists the ids of the images that are kept for any app of this control plane."""

    def drop(self, image: Image, app: str) -> bool:
        """Stops keeping an image for the app, and removes it if it has no other name; False while it is in use."""
