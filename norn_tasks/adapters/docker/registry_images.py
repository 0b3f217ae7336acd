"""Images that apps take from a registry: Norn resolves each to a digest, pulls it, and keeps it by a tag while an app
needs it.

An image that was built elsewhere has no label of Norn's, so the tag names the app that needs it: `norn-pulled/<control
plane>/<app>:<digest>`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.client import PREFIX, PULLED, EngineClient
from norn_tasks.adapters.docker.disk import spaces
from norn_tasks.adapters.docker.images import image_of
from norn_tasks.adapters.docker.registry import Registries, registry_failures
from norn_tasks.domain.disk import amount
from norn_tasks.domain.errors import Conflict, NotFound, SourceError
from norn_tasks.ports import Image, Watch


class DockerRegistryImages:
    """Implements `ports.RegistryImages` on an engine, for the control plane `instance`."""

    def __init__(
        self, engine: EngineClient, workspace: Path, limits: BuildLimits, registries: Registries, instance: str
    ) -> None:
        self._engine = engine
        self._workspace = workspace
        self._limits = limits
        self._registries = registries
        self._prefix = f"{PULLED}/{instance}/"

    def resolve(self, reference: str, watch: Watch) -> str:
        """Returns the digest of the reference, which the engine gets from the registry."""
        registry = self._registries.of(reference)
        watch.say(f"asking {registry.address} for {reference}\n")
        with registry_failures(registry, f"does not give {reference}"):
            return self._engine.promptly(lambda client: registry.digest_of(client, reference), watch.stop)

    def pull(self, reference: str, app: str, watch: Watch) -> Image:
        """Fetches an image by its digest, checks it, tags it for the app, and returns it. Raises SourceError if the
        image is not allowed, or RegistryFailed.
        """
        found = self._engine.image(reference)
        if found is not None:
            watch.say(f"{reference} is on the engine\n")
            self._require_allowed(found, reference)
        else:
            found = self._allowed(self._pulled(reference, watch), reference)
        image = image_of(found)
        repository, tag = f"{self._prefix}{app}", reference.rpartition(":")[2][:12]
        self._engine.ask(lambda client: client.tag(image.id, repository, tag))
        return image

    def _allowed(self, pulled: dict[str, Any], reference: str) -> dict[str, Any]:
        """Returns a pulled image if it is allowed; otherwise removes it and raises SourceError."""
        try:
            self._require_allowed(pulled, reference)
        except SourceError:
            self._removed(pulled["Id"])
            raise
        return pulled

    def _pulled(self, reference: str, watch: Watch) -> dict[str, Any]:
        self._limits.least.require(spaces(self._engine, self._workspace))
        registry = self._registries.of(reference)
        watch.say(f"pulling {reference}\n")
        with registry_failures(registry, f"does not give {reference}"):
            self._engine.promptly(lambda client: registry.pull(client, reference), watch.stop)
        found = self._engine.image(reference)
        if found is None:
            raise registry.failed(f"does not give {reference}", "it was pulled and is not on the engine")
        return found

    def _require_allowed(self, found: dict[str, Any], reference: str) -> None:
        """Raises SourceError if the image has a label of Norn, which its containers would inherit, or if it is too
        large.
        """
        labels = (found.get("Config") or {}).get("Labels") or {}  # all of them: `image_of` leaves out STAGE
        foreign = sorted(name for name in labels if name.startswith(PREFIX))
        if foreign:
            raise SourceError(
                f"{reference} has the label {foreign[0]}, and only Norn gives labels that begin with {PREFIX}",
                hint="an image that Norn has built belongs to its app; push one that was built without Norn",
            )
        most, size = self._limits.largest, image_of(found).size
        if most is not None and size > most:
            raise SourceError(
                f"{reference} has {amount(size)}, and {amount(most)} are allowed",
                hint="make it smaller, or raise NORN_IMAGE_MAX",
            )

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Returns the images that have a tag of Norn's for the app."""
        return self._tagged(f"{self._prefix}{app}")

    def ids(self) -> frozenset[str]:
        """Returns the ids of the images that have a tag of Norn's for any app."""
        return frozenset(image.id for image in self._tagged(f"{self._prefix}*"))

    def _tagged(self, pattern: str) -> tuple[Image, ...]:
        named = {"reference": pattern}
        listed = self._engine.ask(lambda client: client.images(filters=named))
        found = (self._engine.image(each["Id"]) for each in listed)
        return tuple(image_of(each) for each in found if each is not None)

    def drop(self, image: Image, app: str) -> bool:
        """Removes the app's tags of an image, and the image if no tag is left. Returns False while the image is
        in use.
        """
        by = {"ancestor": image.id}
        if self._engine.ask(lambda client: client.containers(all=True, filters=by)):
            return False
        mine = tuple(tag for tag in image.tags if tag.startswith(f"{self._prefix}{app}:"))
        dropped = all(map(self._removed, mine))
        return dropped and (set(mine) != set(image.tags) or self._removed(image.id))

    def _removed(self, reference: str) -> bool:
        try:
            self._engine.ask(lambda client: client.remove_image(reference))
        except NotFound:
            return True
        except Conflict:
            return False
        return True
