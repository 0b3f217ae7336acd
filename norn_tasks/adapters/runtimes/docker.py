"""The runtime `docker`: it runs every cron run, function call and test in a container on the local engine.

The stages have a guaranteed order (docs/reliability.md, "Fencing"): the container is created, recorded, given its
input, allowed to begin, started, read, ended, removed. The end of the output does not count as the end of the
container; only the engine reports that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from docker import APIClient

from norn_tasks.adapters.docker import networks, runs_reach
from norn_tasks.adapters.docker.client import FENCE, OWNER, moment
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes import hardening
from norn_tasks.adapters.runtimes.container import SIGNALLED, Container
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.hardening import RunImage
from norn_tasks.adapters.runtimes.revocation import Revocation
from norn_tasks.domain.errors import Conflict, LeaseLost, NotFound, ReleaseGone
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.services import HOST
from norn_tasks.ports import Hooks, Run, Watch

_REMEMBERED = 1000
"""The most images for which the configuration is remembered, so that a call need not ask the engine."""


class DockerRuntime:
    """Implements `ports.Runtime` on a docker engine."""

    name = "docker"

    def __init__(self, on: DockerEngine, names: Callable[[], tuple[str, ...]] = tuple) -> None:
        """Stores the engine; `names` returns the host names of webservers, which runs reach at the machine's address on
        the runs' network.
        """
        self.on, self.engine = on, on.name
        self._client = on.client
        self._names = names
        self._gateway = ""
        self._images: dict[str, RunImage] = {}

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Does nothing: runs use the engine's own images."""
        return ""

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes nothing: runs use the engine's own images."""
        return 0

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Runs the code in a new container, in the stages that this module's docstring lists."""
        container = Container(self._client, self._create(run, watch), run, watch, begun=False)
        with container.owned():
            hooks.created(container.id)
            watch.stop.check()
            return container.live(hooks)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Follows a container that an earlier owner started: waits for its end, reads its output, and removes it.
        Returns an exit with `never_started` if the code surely had not begun, and None if that is unknown or the
        container is gone.
        """
        adopted = Container(self._client, container, run, watch, begun=True)
        withdrawal = Revocation(self._client, container, watch.stop)
        state = adopted.look()
        if state is not None and moment(state["StartedAt"]) is None and withdrawal.removed():
            return ContainerExit(None, never_started=True) if withdrawal.never_started() else None
        state = adopted.look()
        if state is None:
            return None
        with adopted.owned():
            started = moment(state["StartedAt"])
            if started is None:
                return None
            until = self._client.now(watch.stop) if state["Running"] else moment(state["FinishedAt"]) or started
            age = (until - started).total_seconds()
            deadline = Deadline(run.timeout - age, run.grace)
            if not state["Running"] and state["ExitCode"] in SIGNALLED and age >= run.timeout:
                deadline.passed = True  # the earlier owner sent the signal, and died before it saw the run end
            last = adopted.await_end(deadline, adopted.logged)
            return adopted.ended(last, adopted.logged(), deadline) if last is not None else None

    def _create(self, run: Run, watch: Watch) -> str:
        if run.network != "none" and not self._gateway:
            network = networks.ensure(self._client, hardening.NETWORK, talk=False)
            self._gateway = runs_reach.address_of(network).partition("/")[0]
        try:
            return self._created(run, watch)
        except Conflict:
            self._clear(run, watch)
            return self._created(run, watch)

    def _created(self, run: Run, watch: Watch) -> str:
        names = (*self._names(), *((HOST,) if run.services else ()))
        hosts = dict.fromkeys(names, self._gateway) if run.network != "none" else {}

        def create(client: APIClient) -> str:
            image = self._image(client, run.image)
            arguments = hardening.container(client, run, watch.fence, self.on.instance, image, hosts)
            made: str = client.create_container(**arguments)["Id"]
            return made

        try:
            return self._client.promptly(create, watch.stop, late=self.on.remove)
        except NotFound as error:
            raise ReleaseGone(
                f"the image {run.image} of {run.app} is no longer on this engine", hint=f"norn deploy {run.app}"
            ) from error

    def _image(self, client: APIClient, image: str) -> RunImage:
        """Returns an image's configuration. The engine is asked only once about each id, because an id always means the
        same image.
        """
        known = self._images.get(image)
        if known is not None:
            return known
        found = client.inspect_image(image).get("Config") or {}  # type: ignore[no-untyped-call]
        program = (*(found.get("Entrypoint") or ()), *(found.get("Cmd") or ()))
        made = RunImage(tuple(found.get("Volumes") or ()), program)
        if "sha256:" in image:
            if len(self._images) >= _REMEMBERED:
                self._images.clear()
            self._images[image] = made
        return made

    def _clear(self, run: Run, watch: Watch) -> None:
        """Removes the container with this run's name, but only if an earlier attempt of the same owner left it
        behind.
        """
        try:
            found = self._client.briefly(lambda client: client.inspect_container(run.name))
        except NotFound:
            return
        labels = found["Config"]["Labels"] or {}
        if labels.get(OWNER) != run.owner:
            raise Conflict(
                f"a container that is not of {run.owner} has the name {run.name}", hint=f"docker rm -f {run.name}"
            )
        if int(labels.get(FENCE, 0)) > watch.fence.token:
            raise LeaseLost(f"a later owner of job {watch.fence.job} has made {run.name}")
        self.on.remove(found["Id"])
