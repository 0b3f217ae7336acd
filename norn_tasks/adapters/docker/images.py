"""Builds, finds, publishes, tags and removes the images of an engine that carry Norn's label."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from norn_tasks.adapters import dockerfile
from norn_tasks.adapters.docker.building.builder import BuildLimits, ImageBuilder
from norn_tasks.adapters.docker.building.inputs import BuildInputs
from norn_tasks.adapters.docker.building.progress import BuildProgress
from norn_tasks.adapters.docker.client import APP, INSTANCE, PREFIX, STAGE, EngineClient, image_labels, sharers
from norn_tasks.adapters.docker.disk import DiskGuard, spaces
from norn_tasks.adapters.docker.registry import Registry, registry_failures
from norn_tasks.domain.disk import amount
from norn_tasks.domain.errors import BuildFailed, Conflict, NotFound, SourceError
from norn_tasks.ports import BuildOrder, BuildQueue, Image, Watch


class DockerImages:
    """Implements `ports.Images` on an engine; `queue` allows one build at a time."""

    def __init__(
        self,
        engine: EngineClient,
        workspace: Path,
        limits: BuildLimits,
        queue: BuildQueue,
        docker: str = "docker",
        registry: Registry | None = None,
        name: str = "docker",
    ) -> None:
        self.engine = name
        self._engine = engine
        self._workspace = workspace
        self._limits = limits
        self._queue = queue
        self._registry = registry
        self._inputs = BuildInputs(engine, registry)
        self._builder = ImageBuilder(engine, limits, docker)

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds, checks and tags an image within the limits, and returns it; reports the builder's output while it
        runs.
        """
        disks = spaces(self._engine, self._workspace)
        self._limits.least.require(disks)
        written = dockerfile.recipe(dockerfile.read(order.context, order.dockerfile), order.dockerfile)
        self._inputs.require_own(order, written.text)
        if not self._builder.has_buildkit(watch):
            written = dockerfile.with_stage_labels(written, order.dockerfile, f"{STAGE}={order.group or order.app}")
        self._workspace.mkdir(parents=True, exist_ok=True)
        with self._queue.turn(watch, keep=order.another), tempfile.TemporaryDirectory(dir=self._workspace) as scratch:
            recipe, made = Path(scratch) / "Dockerfile", Path(scratch) / "image"
            recipe.write_text(written.text, "utf-8")
            progress = BuildProgress(watch.say, written.head, written.added)
            room = DiskGuard(disks, self._limits.least.free)
            self._builder.run(order, recipe, made, progress, watch, room)
            built = self.find(made.read_text().strip())
        if built is None:
            raise BuildFailed(f"the image {order.tag} was built and is no longer on the engine")
        try:
            self._require_own_labels(built, order)
            self._require_small(built)
        except SourceError:
            self._discard(built, progress.stages)
            raise
        return replace(self._tagged(built, order.tag), stages=progress.stages)

    def find(self, reference: str) -> Image | None:
        """Returns the image with a tag or id; None if there is none."""
        found = self._engine.image(reference)
        return image_of(found) if found is not None else None

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Pushes an image to the registry, and returns its reference there, by digest; returns None if no registry is
        configured.
        """
        registry = self._registry
        if registry is None:
            return None
        watch.say(f"pushing {image_id} to {registry.address}/{name}\n")
        with registry_failures(registry, "did not take the image"):
            return self._engine.promptly(lambda client: registry.push(client, image_id, name), watch.stop)

    def pull(self, reference: str, watch: Watch) -> Image:
        """Fetches a published image by its reference, and returns it; raises RegistryFailed."""
        registry = self._registry or Registry(reference.partition("/")[0])
        watch.say(f"pulling {reference}\n")
        with registry_failures(registry, f"does not give {reference}"):
            self._engine.promptly(lambda client: registry.pull(client, reference), watch.stop)
        pulled = self.find(reference)
        if pulled is None:
            raise registry.failed(f"does not give {reference}", "it was pulled and is not on the engine")
        return pulled

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Returns the images that carry Norn's label for the app."""
        mine = {"label": f"{APP}={app}"}
        listed = self._engine.ask(lambda client: client.images(filters=mine))
        found = (self.find(each["Id"]) for each in listed)
        return tuple(image for image in found if image is not None)

    def ids(self) -> frozenset[str]:
        """Returns the ids of all images that carry Norn's label."""
        ours = {"label": APP}
        return frozenset(str(each["Id"]) for each in self._engine.ask(lambda client: client.images(filters=ours)))

    def trim_cache(self) -> int:
        """Trims BuildKit's cache to its limit, removing the least recently used entries first; returns the number of
        freed bytes.
        """
        most = self._limits.cache
        done: dict[str, Any] = self._engine.ask(lambda client: client.prune_builds(keep_storage=most, all=True))
        return int(done.get("SpaceReclaimed") or 0)

    def stages_of(self, app: str) -> tuple[str, ...]:
        """Returns the ids of the untagged images of stages that builds of the app left behind."""
        left = {"label": STAGE, "dangling": True}
        found = self._engine.ask(lambda client: client.images(filters=left))
        return tuple(str(each["Id"]) for each in found if app in sharers(each.get("Labels")))

    def remove(self, image_id: str) -> bool:
        """Removes an image that carries Norn's label, with all its tags; returns False if it has no such label or a
        container uses it.
        """
        image = self.find(image_id)
        return image is None or (APP in image.labels and self._removed(image))

    def remove_stage(self, image_id: str) -> bool:
        """Removes the image of a build stage, which has neither a tag nor Norn's label; returns False if it has one of
        them or a container uses it.
        """
        image = self.find(image_id)
        return image is None or (not image.tags and APP not in image.labels and self._removed(image))

    def _require_own_labels(self, built: Image, order: BuildOrder) -> None:
        """Raises SourceError if the image has a label in Norn's namespace that Norn did not set.

        A container inherits the labels of its image, and Norn recognises its containers by their labels.
        """
        foreign = sorted(name for name in built.labels if name.startswith(PREFIX) and name not in image_labels(order))
        if foreign:
            raise SourceError(
                f"the image has the label {foreign[0]}, and only Norn gives labels that begin with {PREFIX}",
                hint=f"remove it from the LABEL lines of {order.dockerfile}, or build on an image without it",
            )

    def _discard(self, built: Image, stages: Iterable[str]) -> None:
        """Removes an image that was refused, unless an earlier build has made and tagged the same image."""
        if not built.tags:
            self._untag(built.id)
        for stage in stages:
            self.remove_stage(stage)

    def _require_small(self, built: Image) -> None:
        most = self._limits.largest
        if most is not None and built.size > most:
            raise SourceError(
                f"the image has {amount(built.size)}, and {amount(most)} are allowed",
                hint="copy less into its last stage, or raise NORN_IMAGE_MAX",
            )

    def _tagged(self, built: Image, tag: str) -> Image:
        """Tags an image after its checks, so that every tagged image was checked, even if a worker died in between."""
        name, _, version = tag.rpartition(":")
        self._engine.ask(lambda client: client.tag(built.id, name, version))
        return replace(built, tags=(*built.tags, *(() if tag in built.tags else (tag,))))

    def _removed(self, image: Image) -> bool:
        return not self._used(image) and all(map(self._untag, (*image.tags, image.id)))

    def _used(self, image: Image) -> bool:
        by = {"ancestor": image.id}
        return bool(self._engine.ask(lambda client: client.containers(all=True, filters=by)))

    def _untag(self, reference: str) -> bool:
        try:
            self._engine.ask(lambda client: client.remove_image(reference))
        except NotFound:
            return True
        except Conflict:
            return False
        return True


def image_of(found: dict[str, Any]) -> Image:
    """Returns an image from the engine's description of it."""
    config = found.get("Config") or {}
    labels = {name: value for name, value in (config.get("Labels") or {}).items() if name != STAGE}
    return Image(
        id=found["Id"],
        tags=tuple(found.get("RepoTags") or ()),
        labels=labels,
        instance=labels.get(INSTANCE, ""),
        user=config.get("User") or "",
        size=int(found.get("Size") or 0),
    )
