"""Implements a runtime with the nest (the container in which crun starts runs): each run gets a sandbox, which crun
creates in milliseconds.

The stages have a guaranteed order (docs/reliability.md, "Fencing"): the run is reserved, recorded, allowed to begin,
started, read, ended, removed. A reservation starts nothing, and a later owner withdraws it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.nest.door import Conversation, Refusal
from norn_tasks.adapters.nest.engine import NestEngine
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.sandbox import NestSandbox
from norn_tasks.domain.errors import Conflict, EngineDown, LeaseLost, NotFound
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Hooks, Run, Watch

_AGAIN = 0.5
_HOSTNAME = "sandbox"
IMAGE_MISSING = "image"
"""The code with which the nest refuses a run whose image was not copied into it."""


class NestRuntime:
    """Implements `ports.Runtime` with a nest; `hosts` returns the host names that a run can use, with their
    addresses.
    """

    name = "nest"

    def __init__(
        self, on: NestEngine, images: NestImages, hosts: Callable[[Run], dict[str, str]] = lambda _: {}
    ) -> None:
        self.on, self.engine = on, on.name
        self._door, self._images, self._hosts = on.door, images, hosts

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Copies an image into the nest, so that the first run does not wait for the copy."""
        timeouts.wait(timeouts.begin(lambda: self.bring(image, app)), watch.stop)
        return "in the nest"

    def bring(self, image: str, app: str) -> None:
        """Copies an image into the nest, no matter how long this takes; raises ReleaseGone, StepFailed or
        EngineDown.
        """
        self._images.bring(image, app)

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the app's images from the nest except those with these ids."""
        return self._images.prune(app, keep)

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Reserves, records, starts, reads and removes a run."""
        return self.reserved(self.reserve(run, watch), run, hooks, watch)

    def reserved(self, reservation: tuple[Conversation, str], run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Records a reservation; then starts, reads and removes its run."""
        conversation, sandbox = reservation
        owned = NestSandbox(self._door, conversation, sandbox, run, watch, begun=False)
        with owned.owned():
            hooks.created(sandbox)
            watch.stop.check()
            return owned.live(hooks)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Follows a sandbox that an earlier owner started: reads its output to the end, and removes it. Returns an exit
        with `never_started` if the code had not begun, and None if the nest does not know the sandbox; raises LeaseLost
        if a later owner has it.
        """
        request = {"do": "attach", "id": container, "fence": watch.fence.token}
        conversation = self._patiently(request, watch)
        adopted = NestSandbox(self._door, conversation, container, run, watch, begun=True)
        with conversation:
            try:
                first = conversation.answer()
            except NotFound:
                return None
            except Refusal as error:
                if error.word == "withdrawn":
                    return ContainerExit(None, never_started=True)
                raise LeaseLost(f"a later owner of job {watch.fence.job} has the run") from error
            assert "id" in first
            with adopted.owned():
                return adopted.adopted()

    def reserve(self, run: Run, watch: Watch, *, bring: bool = True) -> tuple[Conversation, str]:
        """Returns a reservation. If the image is missing, copies it into the nest first; with `bring=False` raises
        Refusal instead.

        Raises ReleaseGone, Conflict, LeaseLost, EngineDown, or Refusal if the nest refuses the run.
        """
        wanted = self._wanted(run, watch, self._images.name(run.image, run.app))
        try:
            return self._reserved(wanted, run, watch)
        except Refusal as error:
            if error.word != IMAGE_MISSING or not bring:
                raise
        timeouts.wait(timeouts.begin(lambda: self.bring(run.image, run.app)), watch.stop)
        return self._reserved(wanted, run, watch)

    def _reserved(self, wanted: dict[str, Any], run: Run, watch: Watch) -> tuple[Conversation, str]:
        conversation = self._door.open(wanted, run.stdin or b"")
        try:
            return conversation, str(conversation.answer()["id"])
        except Refusal as error:
            conversation.close()
            if error.word == "conflict":
                raise Conflict(error.facts["said"], hint="norn runs list") from error
            if error.word == "late":
                raise LeaseLost(f"a later owner of job {watch.fence.job} has made {run.name}") from error
            raise
        except EngineDown:
            conversation.close()
            raise

    def _wanted(self, run: Run, watch: Watch, image: str) -> dict[str, Any]:
        return {
            "do": "run",
            "name": run.name,
            "app": run.app,
            "owner": run.owner,
            "fence": watch.fence.token,
            "outlives": run.outlives_owner,
            "image": image,
            "argv": list(run.argv) if run.argv is not None else None,
            "env": {**run.env, **{name: each.reveal() for name, each in run.secrets.items()}},
            "hostname": _HOSTNAME,
            "memory": run.memory,
            "cpus": run.cpus,
            "network": run.network,
            "hosts": self._hosts(run) if run.network != "none" else {},
            "stdin": len(run.stdin or b""),
        }

    def _patiently(self, request: dict[str, Any], watch: Watch) -> Conversation:
        while True:
            try:
                return self._door.open(request)
            except EngineDown:
                watch.stop.wait(_AGAIN)
                watch.stop.check()
