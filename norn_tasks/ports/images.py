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
    """An image to build: `context` is a private copy of the source, `target` a stage or None."""

    context: Path
    dockerfile: str
    tag: str
    labels: Mapping[str, str]
    target: str | None = None


@dataclass(frozen=True)
class Image:
    """An image on the engine. `user` is its configured user ('' is root); `exposed` its ports."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    user: str = ""
    size: int = 0
    stages: tuple[str, ...] = ()


class BuildQueue(Protocol):
    """Lets one build at a time onto an engine."""

    def turn(self, watch: Watch) -> AbstractContextManager[None]:
        """Waits for the turn of this job's build, saying for whom, and holds it for the block; raises Stopped."""


class Images(Protocol):
    """Builds and keeps images."""

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds with live output and limits; when stopped, the build is ended and nothing of it goes on.

        Raises BuildFailed with the last line, SourceError for a missing Dockerfile, DiskFull, TimedOut, EngineDown.
        """

    def find(self, reference: str) -> Image | None:
        """Answers the image of a tag or id, None when it is not there."""

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Pushes an image to the registry under `name` (`path:tag`), and answers its reference there, by digest.

        None where no registry is set. Raises RegistryFailed.
        """

    def pull(self, reference: str, watch: Watch) -> Image:
        """Fetches a published image by its reference; raises RegistryFailed."""

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that carry our label for the app."""

    def ids(self) -> frozenset[str]:
        """Lists the ids of all images that carry our label, of whatever app."""

    def trim_cache(self) -> int:
        """Removes what the builder's cache has over its limit; answers how many bytes that was."""

    def remove(self, image_id: str) -> bool:
        """Removes an image that carries our label, with all its tags; False when something uses it, or it has none."""

    def remove_stage(self, image_id: str) -> bool:
        """Removes what a build left of a stage; False when something still uses it, or it has a tag or our label.

        Which stages a build made is known from its output, into which the app's own programs write.
        """
