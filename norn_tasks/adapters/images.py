"""Builds images through the `docker` CLI, and keeps those that are ours, by label.

BuildKit where the CLI has it, the classic builder else; either way the build ends when the CLI does, and the CLI ends
with the worker (`process`). BuildKit takes no limits of memory and CPU for a build; the classic builder does, and is
taken when the settings want that (NORN_BUILDER).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from norn_tasks.adapters import dockerfile
from norn_tasks.adapters.build_progress import BuildProgress
from norn_tasks.adapters.disk import spaces
from norn_tasks.adapters.engine import APP, INSTANCE, Engine
from norn_tasks.adapters.process import Command, base_environment, run
from norn_tasks.adapters.registry import Registry
from norn_tasks.domain.disk import GIB, NOTHING, Least
from norn_tasks.domain.errors import BuildFailed, Conflict, NotFound, RegistryFailed, SourceError, StepFailed
from norn_tasks.ports import BuildOrder, BuildQueue, Image, Watch

_PERIOD = 100_000
_HINTS = (
    (r"(code:|exited) 137\b", "it was killed, likely for its memory: raise NORN_BUILD_MEMORY, or build with less"),
    (r"no space left on device", "the engine's disk is full: `docker system df` tells by what"),
    (r"(COPY|ADD) failed|cache key|checksum of ref", "it is not in the source, or .dockerignore leaves it out"),
    (r"pull access denied|manifest (unknown|for )|resolve source metadata",
     "check the name in FROM; a private image needs `docker login`"),
    (r"no such host|dial tcp|connection refused", "no registry answers there: check the name in FROM, or the network"),
    (r"dockerfile parse error|unknown instruction", "correct the Dockerfile"),
)  # fmt: skip


@dataclass(frozen=True)
class BuildLimits:
    """What one build may take: seconds, bytes, cores; and what it must find free on the disks."""

    timeout: float
    memory: int
    cpus: float
    least: Least = NOTHING
    cache: int = 10 * GIB
    classic: bool = False
    """Whether the classic builder is wanted, which alone holds a build to its memory and cores."""


class DockerImages:
    """Keeps `ports.Images` on an engine; `queue` lets one build at a time onto it."""

    def __init__(
        self,
        engine: Engine,
        workspace: Path,
        limits: BuildLimits,
        queue: BuildQueue,
        docker: str = "docker",
        registry: Registry | None = None,
    ) -> None:
        self._engine = engine
        self._workspace = workspace
        self._limits = limits
        self._queue = queue
        self._docker = docker
        self._registry = registry
        self._buildkit: bool | None = None

    def build(self, order: BuildOrder, watch: Watch) -> Image:
        """Builds with live output and limits."""
        self._limits.least.require(spaces(self._engine, self._workspace))
        written = dockerfile.recipe(dockerfile.read(order.context, order.dockerfile), order.dockerfile)
        self._check(order, written.text)
        self._workspace.mkdir(parents=True, exist_ok=True)
        with self._queue.turn(watch), tempfile.TemporaryDirectory(dir=self._workspace) as scratch:
            recipe, made = Path(scratch) / "Dockerfile", Path(scratch) / "image"
            recipe.write_text(written.text, "utf-8")
            progress = BuildProgress(watch.say, written.head)
            self._run(self._argv(order, recipe, made, watch), progress, watch)
            built = self.find(made.read_text().strip())
        if built is None:
            raise BuildFailed(f"the image {order.tag} was built and is not on the engine any more")
        return replace(built, stages=progress.stages)

    def find(self, reference: str) -> Image | None:
        """Answers the image of a tag or id."""
        found = self._engine.image(reference)
        return _image(found) if found is not None else None

    def publish(self, image_id: str, name: str, watch: Watch) -> str | None:
        """Pushes an image to the registry, and answers its reference there, by digest; None without a registry."""
        registry = self._registry
        if registry is None:
            return None
        watch.say(f"pushing {image_id} to {registry.address}/{name}\n")
        with _told(registry, "did not take the image"):
            return self._engine.promptly(lambda client: registry.push(client, image_id, name), watch.stop)

    def pull(self, reference: str, watch: Watch) -> Image:
        """Fetches a published image by its reference."""
        registry = self._registry or Registry(reference.partition("/")[0])
        watch.say(f"pulling {reference}\n")
        with _told(registry, f"does not give {reference}"):
            self._engine.promptly(lambda client: registry.pull(client, reference), watch.stop)
        pulled = self.find(reference)
        if pulled is None:
            raise registry.failed(f"does not give {reference}", "it was pulled and is not on the engine")
        return pulled

    def of_app(self, app: str) -> tuple[Image, ...]:
        """Lists the images that carry our label for the app."""
        mine = {"label": f"{APP}={app}"}
        listed = self._engine.ask(lambda client: client.images(filters=mine))
        found = (self.find(each["Id"]) for each in listed)
        return tuple(image for image in found if image is not None)

    def ids(self) -> frozenset[str]:
        """Lists the ids of all images that carry our label."""
        ours = {"label": APP}
        return frozenset(str(each["Id"]) for each in self._engine.ask(lambda client: client.images(filters=ours)))

    def trim_cache(self) -> int:
        """Removes what BuildKit's cache has over its limit, the longest unused first; the classic builder has none."""
        most = self._limits.cache
        done: dict[str, Any] = self._engine.ask(lambda client: client.prune_builds(keep_storage=most, all=True))
        return int(done.get("SpaceReclaimed") or 0)

    def remove(self, image_id: str) -> bool:
        """Removes an image that carries our label, with all its tags."""
        image = self.find(image_id)
        return image is None or (APP in image.labels and self._removed(image))

    def remove_stage(self, image_id: str) -> bool:
        """Removes what a build left of a stage: it has neither a tag nor our label, which an app's image has."""
        image = self.find(image_id)
        return image is None or (not image.tags and APP not in image.labels and self._removed(image))

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

    def _check(self, order: BuildOrder, text: str) -> None:
        """Refuses what a build could reach that is not the app's."""
        ignore = order.context / ".dockerignore"
        if not ignore.resolve().is_relative_to(order.context.resolve()):
            raise SourceError(".dockerignore leads out of the source", hint="make it a file of the source")
        dockerfile.require_public(text, order.dockerfile)
        app = order.labels.get(APP, "")
        for reference in dockerfile.outside_images(text, order.dockerfile, self._platform()):
            if not self._owners(reference, order) <= {app}:
                raise SourceError(
                    f"{order.dockerfile} takes from {reference}, an image of another app",
                    hint="build on a public image, or on one from a registry",
                )

    def _owners(self, reference: str, order: BuildOrder) -> set[str]:
        """Answers whose image that is, by its name here, its name in the registry, and its label."""
        instance = order.labels.get(INSTANCE, "")
        named = re.match(r"(?:(?:index\.)?docker\.io/)?norn/([^:@/]+)", reference)
        shared = self._registry.owner(reference, instance) if self._registry is not None else None
        try:
            found = self.find(reference)
        except StepFailed as error:
            if "invalid reference" not in error.sentence:
                raise
            found = None  # no builder takes it either, and says so
        labelled = found.labels.get(APP) if found is not None else None
        return {owner for owner in (named[1] if named else None, shared, labelled) if owner is not None}

    def _platform(self) -> dict[str, str]:
        told: dict[str, Any] = self._engine.ask(lambda client: client.version())
        values = {"PLATFORM": f"{told['Os']}/{told['Arch']}", "OS": told["Os"], "ARCH": told["Arch"], "VARIANT": ""}
        return {side + key: value for side in ("TARGET", "BUILD") for key, value in values.items()}

    def _argv(self, order: BuildOrder, recipe: Path, made: Path, watch: Watch) -> list[str]:
        argv = [self._docker, "build", "--force-rm", f"--file={recipe}", f"--iidfile={made}", f"--tag={order.tag}"]
        argv += [f"--label={key}={value}" for key, value in order.labels.items()]
        argv += [f"--target={order.target}"] if order.target is not None else []
        argv += ["--progress=plain"] if self._has_buildkit(watch) else self._classic_limits()
        return [*argv, "--", str(order.context)]

    def _classic_limits(self) -> list[str]:
        memory, quota = self._limits.memory, int(self._limits.cpus * _PERIOD)
        return [f"--memory={memory}", f"--memory-swap={memory}", f"--cpu-period={_PERIOD}", f"--cpu-quota={quota}"]

    def _run(self, argv: list[str], progress: BuildProgress, watch: Watch) -> None:
        command = Command(
            "the build",
            argv,
            self._environment(buildkit=self._has_buildkit(watch)),
            self._limits.timeout,
            progress.err,
            watch.stop,
            hear=progress.out,
            hint="make the build quicker, or raise NORN_BUILD_TIMEOUT",
        )
        if run(command).code == 0:
            return
        # A build that failed because the engine went away is not the app's failure: this raises EngineDown then.
        self._engine.briefly(lambda client: client.ping())
        failure = progress.failure
        hint = next((hint for sign, hint in _HINTS if re.search(sign, failure)), "")
        raise BuildFailed(f"the build failed{failure}", hint=hint)

    def _environment(self, *, buildkit: bool) -> dict[str, str]:
        return base_environment() | {
            "DOCKER_HOST": self._engine.address,
            "DOCKER_BUILDKIT": "1" if buildkit else "0",
            "BUILDX_BUILDER": "default",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }  # fmt: skip

    def _has_buildkit(self, watch: Watch) -> bool:
        """True when this CLI can: by its plugin buildx, or, before version 23, by itself."""
        if self._limits.classic:
            return False
        if self._buildkit is None:
            version: list[str] = []
            self._tried(["--version"], version, watch)
            major = re.search(r"version (\d+)\.", "".join(version))
            old = major is not None and int(major[1]) < 23
            self._buildkit = old or self._tried(["buildx", "version"], [], watch)
        return self._buildkit

    def _tried(self, words: list[str], said: list[str], watch: Watch) -> bool:
        env = self._environment(buildkit=True)
        ignored: list[str] = []
        command = Command("docker", [self._docker, *words], env, 60, ignored.append, watch.stop, hear=said.append)
        return run(command).code == 0


@contextmanager
def _told(registry: Registry, what: str) -> Iterator[None]:
    """Tells what the engine says of the registry as the registry's failure."""
    try:
        yield
    except RegistryFailed:
        raise
    except (NotFound, StepFailed) as error:
        raise registry.failed(what, error.facts.get("said", error)) from error


def _image(found: dict[str, Any]) -> Image:
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        tags=tuple(found.get("RepoTags") or ()),
        labels=config.get("Labels") or {},
        user=config.get("User") or "",
        size=int(found.get("Size") or 0),
    )
