"""The runtime `incus`: it runs every cron run, function call and test in an instance of its own.

The stages have a guaranteed order (docs/reliability.md, "Fencing"): the instance is created, recorded, allowed to
begin, started, read, ended, removed. The permission to begin is a file in the instance. Either the instance's first
process removes it, or a later owner does; so the code begins at most once.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Collection

from norn_tasks.adapters.incus import hardening
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.files import Files
from norn_tasks.adapters.incus.images import ImageFacts, IncusImages
from norn_tasks.adapters.incus.instance import Instance
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import Conflict, EngineDown, InvalidRequest, LeaseLost, NotFound
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Hooks, Run, Watch

_SIGNALLED = (137, 143)
_LONGEST = 50
"""The most characters of a run's name that its instance's name contains. Incus allows 63 characters for an instance's
name.
"""


class IncusRuntime:
    """Implements `ports.Runtime` on an Incus."""

    name = "incus"

    def __init__(self, on: IncusEngine, images: IncusImages, bridge: Bridge, pool: str) -> None:
        self.on, self.engine = on, on.name
        self._api, self._images, self._bridge, self._pool = on.api, images, bridge, pool

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Copies an image to Incus, so that the first run does not wait for it."""
        self._api.promptly(self.on.identity, watch.stop)  # this call makes the project
        self._images.ready(image, app, watch.stop)
        return "in Incus"

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the app's images from Incus except those with these ids."""
        self.on.identity()
        return self._images.prune(app, keep)

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Runs the code in a new instance, in the stages that this module's docstring lists; raises InvalidRequest for
        a run with a terminal or an open input.
        """
        if run.client is not None:
            raise InvalidRequest(
                "a run with runtime: incus cannot have a terminal or an open input",
                hint="norn run without --tty and --stdin prints what the command prints",
            )
        instance = Instance(self.on, self._bridge, self._created(run, watch), run, watch, begun=False)
        with instance.owned():
            hooks.created(instance.id)
            watch.stop.check()
            return instance.live(hooks)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Follows an instance that an earlier owner started: reads its output to the end, and removes it. Returns an
        exit with `never_started` if the code had not begun, and None if the instance is gone or does not say when its
        code began.
        """
        adopted = Instance(self.on, self._bridge, container, run, watch, begun=True)
        try:
            self._api.patiently(lambda: self._api.get(f"/1.0/instances/{container}"), watch.stop)
        except NotFound:
            return None
        if self._api.patiently(adopted.files.withdraw, watch.stop):
            self.on.remove(container)
            return ContainerExit(None, never_started=True)
        begun = self._api.patiently(adopted.files.begun, watch.stop)
        with adopted.owned():
            if begun is None:
                return None
            progress = self._api.patiently(adopted.files.progress, watch.stop)
            end = progress.end if progress is not None else None
            age = (end.at if end is not None else time.time()) - begun
            deadline = Deadline(run.timeout - age, run.grace)
            if end is not None and end.code in _SIGNALLED and age >= run.timeout:
                deadline.passed = True  # the earlier owner sent the signal, and died before it saw the run end
            return adopted.followed(Outputs(run), deadline)

    def _created(self, run: Run, watch: Watch) -> str:
        self._api.promptly(self.on.identity, watch.stop)
        image = self._images.ready(run.image, run.app, watch.stop)
        self._api.promptly(lambda: self._clear(run, watch), watch.stop)
        name = f"{re.sub('[^A-Za-z0-9-]', '-', run.name)[:_LONGEST]}-{uuid.uuid4().hex[:10]}"
        try:
            return self._api.promptly(lambda: self._make(run, watch, image, name), watch.stop, late=self.on.remove)
        except NotFound:
            # Somebody removed the image from Incus, so it is copied again.
            self._images.forget(run.image)
            image = self._images.ready(run.image, run.app, watch.stop)
            return self._api.promptly(lambda: self._make(run, watch, image, name), watch.stop, late=self.on.remove)

    def _make(self, run: Run, watch: Watch, image: ImageFacts, name: str) -> str:
        gateway = None if run.network == "none" else self._bridge.gateway()
        address, resolver = ("", "") if gateway is None else (self._bridge.address(), str(gateway.ip))
        described = hardening.description(run, image, name, {})
        config = hardening.config(run, watch.fence, self.on.instance, described, resolver)
        config["raw.lxc"] = hardening.lxc(address, gateway)
        document = {
            "name": name, "type": "container", "source": {"type": "image", "alias": image.alias}, "profiles": [],
            "config": config, "devices": hardening.devices(run, self._pool, self._bridge.name, address),
        }  # fmt: skip
        try:
            self._api.change("POST", "/1.0/instances", document)
            self._give(run, name, described, config)
        except EngineDown:
            # If the creation of an instance was not confirmed, the instance may be incomplete, so it is removed and
            # never started.
            self.on.take_away(name)
            raise
        return name

    def _give(self, run: Run, name: str, described: str, config: dict[str, str]) -> None:
        files = Files(self._api, name)
        if "environment.NORN_SPEC" not in config:
            files.write("spec", described.encode())
        if run.stdin is not None and "environment.NORN_STDIN" not in config:
            files.write("stdin", run.stdin)

    def _clear(self, run: Run, watch: Watch) -> None:
        """Removes the instance with this run's name, but only if an earlier attempt of the same owner left it
        behind.
        """
        for found in self.on.labelled(hardening.NAME, run.name):
            config = found["config"]
            if config.get(hardening.INSTANCE, "") != self.on.instance:
                continue
            if config.get(hardening.OWNER) != run.owner:
                what = f"an instance that is not of {run.owner} has the name {run.name}"
                raise Conflict(what, hint=f"incus delete --force {found['name']}")
            if int(config.get(hardening.FENCE, 0)) > watch.fence.token:
                raise LeaseLost(f"a later owner of job {watch.fence.job} has made {run.name}")
            self.on.take_away(found["name"])
