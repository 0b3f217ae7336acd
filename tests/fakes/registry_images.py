"""Images of a registry in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from norn_tasks.domain.errors import RegistryFailed
from norn_tasks.domain.sources import image_reference
from norn_tasks.ports import Image, Watch
from tests.fakes.images import FakeImages


@dataclass
class FakeRegistryImages:
    """A fake of `ports.RegistryImages` on the engine of `engine`. Tests put digests by tag into `tags`, and images by
    digest into `registry`.
    """

    engine: FakeImages = field(default_factory=FakeImages)
    tags: dict[str, str] = field(default_factory=dict)
    registry: dict[str, Image] = field(default_factory=dict)

    def resolve(self, reference: str, watch: Watch) -> str:
        """Returns the digest of a tag."""
        if reference not in self.tags:
            raise RegistryFailed(f"the registry registry.example does not give {reference}: manifest unknown")
        return self.tags[reference]

    def pull(self, reference: str, app: str, watch: Watch) -> Image:
        """Puts an image on the engine, with a tag for the app."""
        digest = image_reference.parse(reference).digest or ""
        if digest not in self.registry:
            raise RegistryFailed(f"the registry registry.example does not give {reference}: manifest unknown")
        found = self.engine.there.get(digest, self.registry[digest])
        tag = f"norn-pulled/fake01/{app}:{digest[7:19]}"
        kept = replace(found, tags=tuple({*found.tags, tag}))
        self.engine.there[kept.id] = kept
        return kept

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images with a tag for the app."""
        prefix = f"norn-pulled/fake01/{app}:"
        return tuple(each for each in self.engine.there.values() if any(tag.startswith(prefix) for tag in each.tags))

    def ids(self) -> frozenset[str]:
        """Lists the ids of the images with a tag for any app."""
        return frozenset(
            each.id for each in self.engine.there.values() if any(tag.startswith("norn-pulled/") for tag in each.tags)
        )

    def drop(self, image: Image, app: str) -> bool:
        """Removes the app's tags, and the image if it has no other tag; returns False if something uses the image."""
        if image.id in self.engine.used:
            return False
        there = self.engine.there[image.id]
        left = tuple(tag for tag in there.tags if not tag.startswith(f"norn-pulled/fake01/{app}:"))
        if left:
            self.engine.there[image.id] = replace(there, tags=left)
        else:
            del self.engine.there[image.id]
        return True
