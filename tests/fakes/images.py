"""Images in memory: a build only reads the USER lines and the stages of the Dockerfile, and runs no command."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from norn_tasks.adapters import dockerfile
from norn_tasks.adapters.docker.client import APP, PREFIX, image_labels
from norn_tasks.domain.errors import BuildFailed, EngineDown, RegistryFailed, SourceError
from norn_tasks.ports import BuildOrder, Image, Watch


@dataclass
class FakeImages:
    """A fake of `ports.Images`. A line `RUN false` fails a build. Tests read `there` (by id) and `built`; `used` has
    the ids in use.
    """

    there: dict[str, Image] = field(default_factory=dict)
    built: list[BuildOrder] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    down: bool = False
    registry: dict[str, Image] | None = None
    engine: str = "docker"

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds an image without running a command."""
        text = dockerfile.recipe(dockerfile.read(order.context, order.dockerfile), order.dockerfile).text
        dockerfile.require_public(text, order.dockerfile)
        watch.stop.check()
        if self.down:
            raise EngineDown("the fake engine does not answer")
        self.built.append(order)
        wanted = _stage(text, order.target)
        for line in wanted:
            watch.say(f"{line}\n")
            if line == "RUN false":
                raise BuildFailed(f"the build failed: {line}")
            if line.startswith(f"LABEL {PREFIX}"):
                raise SourceError(f"the image has the label {line[6:]}, and only Norn gives such labels")
        users = [line.split()[1] for line in wanted if line.startswith("USER ")]
        made = Image(
            _id(order),
            (order.tag,),
            image_labels(order),
            user=users[-1] if users else "",
            size=1,
            instance=order.instance,
        )
        for image in list(self.there.values()):
            self.there[image.id] = replace(image, tags=tuple(tag for tag in image.tags if tag != order.tag))
        self.there[made.id] = made
        return made

    def find(self, reference: str) -> Image | None:
        """Returns an image by tag or id."""
        return next((each for each in self.there.values() if reference in (each.id, *each.tags)), None)

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Puts an image into the registry, and returns its reference there; returns None if there is no registry."""
        if self.registry is None:
            return None
        reference = f"registry.example/{name.partition(':')[0]}@{image_id}"
        self.registry[reference] = self.there[image_id]
        return reference

    def pull(self, reference: str, watch: Watch) -> Image:
        """Copies an image from the registry to the engine."""
        image = (self.registry or {}).get(reference)
        if image is None:
            raise RegistryFailed(f"the registry registry.example does not give {reference}")
        self.there[image.id] = image
        return image

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists an app's images."""
        return tuple(each for each in self.there.values() if each.labels.get(APP) == app)

    def ids(self) -> frozenset[str]:
        """Lists the ids of all images with Norn's label."""
        return frozenset(each.id for each in self.there.values() if APP in each.labels)

    def trim_cache(self) -> int:
        """Returns 0: the fake has no build cache."""
        return 0

    def stages_of(self, app: str) -> tuple[str, ...]:
        """Returns nothing: builds of the fake leave no stages."""
        return ()

    def remove(self, image_id: str) -> bool:
        """Removes an image of Norn; returns False if something uses it, or if it is not Norn's."""
        image = self.find(image_id)
        return image is None or (APP in image.labels and self._removed(image))

    def remove_stage(self, image_id: str) -> bool:
        """Removes an image without tag and label; returns False if something uses it, or if it has a tag or Norn's
        label.
        """
        image = self.find(image_id)
        return image is None or (not image.tags and APP not in image.labels and self._removed(image))

    def _removed(self, image: Image) -> bool:
        if image.id in self.used:
            return False
        del self.there[image.id]
        return True


def _stage(text: str, target: str | None) -> list[str]:
    """Returns the lines of the requested stage, or of the last one if none is requested."""
    stages = re.split(r"(?mi)^(?=FROM )", text)
    wanted = [stage for stage in stages if target is None or re.match(rf"(?i)FROM \S+ AS {re.escape(target)}\s", stage)]
    if not wanted:
        raise BuildFailed(f"the build failed: there is no stage {target}")
    return wanted[-1].splitlines()


def _id(order: BuildOrder) -> str:
    known = hashlib.sha256(repr((order.dockerfile, order.target, sorted(image_labels(order).items()))).encode())
    for path in sorted(Path(order.context).rglob("*")):
        known.update(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
    return f"sha256:{known.hexdigest()}"
