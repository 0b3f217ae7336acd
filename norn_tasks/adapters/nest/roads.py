"""Starts each run on a Docker engine in one of two ways: in the nest (the container in which crun starts runs) if it is
ready, otherwise in a container of its own.

Both ways belong to the runtime `docker`; an infraspec cannot choose between them. The id of a sandbox begins with
`nest-`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.door import Refusal
from norn_tasks.adapters.nest.engine import PREFIX, NestEngine
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.runtime import IMAGE_MISSING, NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import EngineDown, NornError, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.services import HOST
from norn_tasks.ports import Hooks, Run, RunsReach, SeenContainer, Watch

_BELIEVED, _DOUBTED = 5.0, 1.0
"""Seconds for which the nest's last answer is reused: if the nest was ready, and if it was not."""
_AWAY = 30.0
"""Seconds without an answer from the nest after which the owner of a run ends the nest."""
_AGAIN = 0.5
log = logging.getLogger(__name__)


class Nest:
    """The nest as this process knows it: ready or not, according to an answer that may be a few seconds old."""

    def __init__(self, keeper: NestKeeper) -> None:
        self.keeper = keeper
        self._until, self._ready = 0.0, False

    @property
    def ready(self) -> bool:
        """True if the nest answers, is of this version of Norn, and has passed its test."""
        if time.monotonic() >= self._until:
            self._ready = self.keeper.trusted() is not None
            self._until = time.monotonic() + (_BELIEVED if self._ready else _DOUBTED)
        return self._ready

    def make(self) -> bool:
        """Creates and tests the nest, and returns True; returns False if the nest is ready already. If it cannot be
        created, records why, and raises StepFailed, EngineDown or NotFound.
        """
        if self.keeper.trusted() is not None:
            return False
        try:
            self.keeper.make()
        except NornError as error:
            self.keeper.note(error.sentence)
            raise
        self.doubt()
        return True

    def doubt(self) -> None:
        """Forgets the last answer, so that the next run asks the nest again."""
        self._until = 0.0


class TwoRoads:
    """Implements `ports.Runtime`; each run starts either in the nest or in a Docker container."""

    name = DockerRuntime.name

    def __init__(self, docker: DockerRuntime, fast: NestRuntime, nest: Nest) -> None:
        self.engine = docker.engine
        self._docker, self.fast, self._nest = docker, fast, nest
        self._bringing: set[str] = set()

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Copies an image into the nest if the nest is ready; runs of an image that it cannot unpack go through
        Docker.
        """
        if not self._nest.ready:
            return self._docker.prepare(image, app, watch)
        try:
            return self.fast.prepare(image, app, watch)
        except Stopped:
            raise
        except NornError as error:
            log.warning("the image %s of %s is not in the nest: %s", image, app, error.sentence)
            return self._docker.prepare(image, app, watch)

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the app's images from the nest, except those in `keep`."""
        return self.fast.prune(app, keep) if self._nest.ready else 0

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Runs in the nest if it is ready and supports the run; otherwise in a Docker container."""
        if fits(run) and self._nest.ready:
            try:
                owned = self.fast.reserve(run, watch, bring=False)
            except (EngineDown, NotFound, StepFailed) as error:
                # Nothing was recorded or started yet, so Docker can be used instead.
                log.warning("run %s goes through docker: %s", run.name, error.sentence)
                if isinstance(error, Refusal) and error.word == IMAGE_MISSING:
                    self._bring_beside(run.image, run.app)
                else:
                    self._nest.doubt()
            else:
                return replace(self.fast.reserved(owned, run, hooks, watch), place=self.fast.name)
        return self._docker.run(run, hooks, watch)

    def _bring_beside(self, image: str, app: str) -> None:
        """Copies an image into the nest in the background for later runs, because it may take a minute and no call
        should wait that long.
        """
        if image in self._bringing:
            return
        self._bringing.add(image)

        def bring() -> None:
            try:
                self.fast.bring(image, app)
            except NornError as error:
                log.warning("the image %s of %s is not in the nest: %s", image, app, error.sentence)
            finally:
                self._bringing.discard(image)

        timeouts.begin(bring)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Follows a sandbox in the nest, or a Docker container."""
        if not container.startswith(PREFIX):
            return self._docker.adopt(run, container, watch)
        if not self._await_nest(watch):
            return None
        ended = self.fast.adopt(run, container, watch)
        return ended if ended is None else replace(ended, place=self.fast.name)

    def _await_nest(self, watch: Watch) -> bool:
        """Waits until the nest answers. After a while it ends the nest, so that no run continues without an owner.

        Returns False if it ended the nest. There may never be another nest, and a new one would not know this run.
        """
        until = time.monotonic() + _AWAY
        while not self._nest.keeper.answers():
            if time.monotonic() > until or not self._nest.keeper.runs():
                self._nest.keeper.remove()
                return False
            watch.stop.wait(_AGAIN)
            watch.stop.check()
        return True


def fits(run: Run) -> bool:
    """Returns True if the nest supports a run: it has no connected client, no volumes and a read-only root.

    A sandbox cannot use volumes, because the owners of files in volumes are users of the machine that do not exist in a
    sandbox. It cannot have a writable root, because everything written there would count as its memory.
    """
    return run.client is None and not run.mounts and not run.writable


class EngineWithNest:
    """Implements `ports.Engine` for the containers of a Docker engine together with the sandboxes of its nest."""

    def __init__(self, docker: DockerEngine, fast: NestEngine, nest: Nest) -> None:
        self.name = docker.name
        self._docker, self._fast, self._nest = docker, fast, nest

    def identity(self) -> str:
        """Returns the id of the Docker engine."""
        return self._docker.identity()

    def containers(self) -> tuple[SeenContainer, ...]:
        """Returns the containers and the sandboxes of this control plane."""
        try:
            sandboxes = self._fast.containers()
        except EngineDown:
            if self._nest.keeper.runs():
                raise
            sandboxes = ()
        return (*self._docker.containers(), *sandboxes)

    def remove(self, container: str) -> None:
        """Ends and removes a sandbox or a container. If the nest does not answer, the complete nest is ended."""
        if not container.startswith(PREFIX):
            self._docker.remove(container)
            return
        try:
            self._fast.remove(container)
        except (EngineDown, StepFailed):
            self._nest.keeper.remove()

    def reach(self) -> RunsReach:
        """Returns which addresses the containers of runs can reach."""
        return self._docker.reach()


def hosts_of(names: Callable[[], tuple[str, ...]], gateway: Callable[[], str]) -> Callable[[Run], dict[str, str]]:
    """Returns a function that takes a run and returns the host names that it can use; all of them lead to this
    machine.
    """

    def hosts(run: Run) -> dict[str, str]:
        known = (*names(), *((HOST,) if run.services else ()))
        return dict.fromkeys(known, gateway()) if known else {}

    return hosts
