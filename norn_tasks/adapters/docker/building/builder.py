"""Builds an image with the `docker` CLI.

The builder is BuildKit if the CLI has it, and otherwise the classic builder. The build ends when the CLI ends, and the
CLI ends when its worker does. BuildKit cannot limit the memory and CPU of a build. The classic builder can, and is used
if the setting NORN_BUILDER asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.adapters.docker.building.progress import BuildProgress
from norn_tasks.adapters.docker.client import EngineClient, image_labels
from norn_tasks.adapters.docker.disk import DiskGuard
from norn_tasks.adapters.processes.process import Command, base_environment, run
from norn_tasks.domain.disk import GIB, NOTHING, Least
from norn_tasks.domain.errors import BuildFailed
from norn_tasks.ports import BuildOrder, Watch

_PERIOD = 100_000
"""The microseconds of one CPU scheduling period. In each period, a build may use this much CPU time on each of its
cores.
"""
_HINTS = (
    (r"(code:|exited) 137\b", "it was killed, likely for lack of memory: raise NORN_BUILD_MEMORY, or build with less"),
    (r"no space left on device", "the engine's disk is full: `docker system df` shows what uses it"),
    (r"(COPY|ADD) failed|cache key|checksum of ref", "it is not in the source, or .dockerignore leaves it out"),
    (r"pull access denied|manifest (unknown|for )|resolve source metadata",
     "check the name in FROM; a private image needs `docker login`"),
    (r"no such host|dial tcp|connection refused", "no registry answers there: check the name in FROM, or the network"),
    (r"dockerfile parse error|unknown instruction", "correct the Dockerfile"),
)  # fmt: skip

_CACHE_RACE = re.compile(r"unable to find image .?sha256:[0-9a-f]{64}")
"""The classic builder's error if another build removes an image while this build searches all images for a cached step.
"""
_CACHE_TRIES = 3


@dataclass(frozen=True)
class BuildLimits:
    """The limits of one build (seconds, bytes, cores), and the space that must stay free on the disks. `cache` is the
    number of bytes to which the builder's cache is trimmed.
    """

    timeout: float
    memory: int
    cpus: float
    least: Least = NOTHING
    cache: int = 10 * GIB
    largest: int | None = None
    """The most bytes that an image may have; None for no limit."""
    classic: bool = False
    """Whether to use the classic builder, the only one that can limit memory and cores."""


class ImageBuilder:
    """Builds images on one engine with the CLI `docker`, which is found by name or path."""

    def __init__(self, engine: EngineClient, limits: BuildLimits, docker: str = "docker") -> None:
        self._engine = engine
        self._limits = limits
        self._docker = docker
        self._buildkit: bool | None = None

    def run(
        self, order: BuildOrder, recipe: Path, made: Path, progress: BuildProgress, watch: Watch, room: DiskGuard
    ) -> None:
        """Builds an image by the Dockerfile `recipe`, and writes its id into the file `made`. Raises BuildFailed,
        EngineDown or DiskFull.
        """
        command = Command(
            "the build",
            self._argv(order, recipe, made, watch),
            self._environment(buildkit=self.has_buildkit(watch)),
            self._limits.timeout,
            progress.err,
            watch.stop,
            hear=progress.out,
            check=room.check,
            hint="make the build quicker, or raise NORN_BUILD_TIMEOUT",
        )
        # Many images share a base. Another build may remove one of them while the classic builder searches them for a
        # cached step.
        for _ in range(_CACHE_TRIES):
            if run(command).code == 0:
                return
            if not _CACHE_RACE.search(progress.failure):
                break
        # If the build failed because the engine is unreachable, this raises EngineDown, because the app is not at
        # fault.
        self._engine.briefly(lambda client: client.ping())
        failure = progress.failure
        cause = progress.cause
        killed, *others = [hint if re.search(sign, failure) else "" for sign, hint in _HINTS]
        hint = killed or (cause.hint if cause else next(filter(None, others), ""))
        raise BuildFailed(f"the build failed{failure}", hint=hint)

    def _argv(self, order: BuildOrder, recipe: Path, made: Path, watch: Watch) -> list[str]:
        argv = [self._docker, "build", "--force-rm", f"--file={recipe}", f"--iidfile={made}"]
        argv += [f"--label={key}={value}" for key, value in image_labels(order).items()]
        argv += [f"--target={order.target}"] if order.target is not None else []
        argv += self._buildkit_options(order) if self.has_buildkit(watch) else self._classic_limits()
        return [*argv, "--", str(order.context)]

    def _buildkit_options(self, order: BuildOrder) -> list[str]:
        """Returns the options for BuildKit. Each app has its own caches for `RUN --mount=type=cache`."""
        caches = f"norn/{order.instance}/{order.app}"
        return ["--progress=plain", f"--build-arg=BUILDKIT_CACHE_MOUNT_NS={caches}"]

    def _classic_limits(self) -> list[str]:
        memory, quota = self._limits.memory, int(self._limits.cpus * _PERIOD)
        return [f"--memory={memory}", f"--memory-swap={memory}", f"--cpu-period={_PERIOD}", f"--cpu-quota={quota}"]

    def _environment(self, *, buildkit: bool) -> dict[str, str]:
        return base_environment() | {
            "DOCKER_HOST": self._engine.address,
            "DOCKER_BUILDKIT": "1" if buildkit else "0",
            "BUILDX_BUILDER": "default",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }  # fmt: skip

    def has_buildkit(self, watch: Watch) -> bool:
        """Returns True if this CLI has BuildKit: in the plugin buildx, or built in if the CLI is older than
        version 23.
        """
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
