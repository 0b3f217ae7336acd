"""The runs in the nest. Each is reserved, then either withdrawn or started once, and deleted when its owner (the worker
that holds the run's job) asks for that, or at its end if no later owner may take it over.

A reservation starts nothing. If another owner takes the run over before its start, the reservation is withdrawn, and
the first owner can no longer start the run.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import OrderedDict
from typing import Any

from norn_tasks.adapters.nest.program.roots.images import NestImageStore
from norn_tasks.adapters.nest.program.run import Means, NestRun

EPOCH = uuid.uuid4().hex[:12]
"""A random name for this start of the nest. A run whose id contains another name belonged to an earlier start of the
nest, and ended with it.
"""
_REMEMBERED = 10_000


class OrderRefused(Exception):
    """Raised when the nest refuses a request; `word` is the code of the reason."""

    def __init__(self, word: str, said: str) -> None:
        super().__init__(said)
        self.word = word


class Runs:
    """All runs, by id and by name."""

    def __init__(self, images: NestImageStore, means: Means) -> None:
        self._images, self._means = images, means
        self._lock = threading.Lock()
        self._runs: dict[str, NestRun] = {}
        self._withdrawn: OrderedDict[str, None] = OrderedDict()
        self._count = 0

    def reserve(self, wanted: dict[str, Any], stdin: bytes) -> NestRun:
        """Returns a reserved run; raises OrderRefused if its name is taken or its image is missing."""
        image = self._images.ready(wanted["image"])
        if image is None:
            raise OrderRefused("image", "the image is not in the nest")
        while True:
            with self._lock:
                old = next((each for each in self._runs.values() if each.name == wanted["name"]), None)
                if old is None:
                    self._count += 1
                    name = f"nest-{EPOCH}-{self._count}-{wanted['name'][:60]}"
                    run = NestRun(wanted | {"id": name}, stdin, image)
                    self._runs[name] = run
                    return run
            if old.owner != wanted["owner"]:
                raise OrderRefused("conflict", f"{wanted['name']} is a run of another owner than {wanted['owner']}")
            if old.fence > wanted["fence"]:
                raise OrderRefused("late", f"a later owner has made {wanted['name']}")
            self.remove(old.id)

    def start(self, run: NestRun) -> None:
        """Starts a reserved run on a thread of its own; raises OrderRefused if it was withdrawn."""
        with self._lock:
            if run.id not in self._runs or run.begun:
                raise OrderRefused("gone", "the run was withdrawn before it was started")
            run.begun = True
        threading.Thread(target=self._play, args=[run], daemon=True).start()

    def withdraw(self, name: str) -> bool:
        """Withdraws a reservation; returns False if its code was already started. Raises OrderRefused if the run is
        unknown.
        """
        with self._lock:
            if name in self._withdrawn:
                return True
            run = self._runs.get(name)
            if run is None:
                raise OrderRefused("gone", "the run is not known")
            if run.begun:
                return False
            self._take_back(run)
            return True

    def left(self, run: NestRun) -> None:
        """Handles an owner that has disconnected: withdraws its reservation, or ends its started run if no later owner
        may take it over.
        """
        with self._lock:
            if run.id in self._runs and not run.begun:
                self._take_back(run)
                return
        if not run.outlives:
            run.kill()

    def taken(self, name: str, fence: int) -> NestRun:
        """Gives a run to a later owner, and returns it; raises OrderRefused."""
        with self._lock:
            run = self._runs.get(name)
            if run is None:
                raise OrderRefused("gone", "the run is not known")
            if run.fence > fence:
                raise OrderRefused("late", "a later owner has the run")
            run.fence = fence
        return run

    def remove(self, name: str, fence: int | None = None) -> None:
        """Ends a run by its id or its name, and returns when nothing of it is left.

        `fence` is the fence of the owner who asks. A run that a later owner has taken over is not ended.
        """
        with self._lock:
            named = [each for each in self._runs.values() if name in (each.id, each.name)]
            found = [each for each in named if fence is None or fence >= each.fence]
            for each in found:
                if not each.begun:
                    self._take_back(each)
        for each in found:
            if each.begun:
                each.kill()
                each.cut()
                each.ended.wait()
            with self._lock:
                self._runs.pop(each.id, None)

    def images(self) -> set[str]:
        """Returns the images of all runs that have not ended."""
        with self._lock:
            return {each.image for each in self._runs.values() if not each.ended.is_set()}

    def seen(self) -> list[dict[str, Any]]:
        """Returns a description of each run."""
        now = time.time()
        with self._lock:
            return [
                {"id": each.id, "name": each.name, "owner": each.owner, "app": each.app, "running": each.running,
                 "age": now - each.born}
                for each in self._runs.values()
            ]  # fmt: skip

    def _take_back(self, run: NestRun) -> None:
        self._runs.pop(run.id, None)
        self._withdrawn[run.id] = None
        if len(self._withdrawn) > _REMEMBERED:
            self._withdrawn.popitem(last=False)

    def _play(self, run: NestRun) -> None:
        try:
            run.play(self._means)
        finally:
            if not run.outlives:
                with self._lock:
                    self._runs.pop(run.id, None)
            run.report()
            run.clear(self._means)


def end_all() -> None:
    """Ends the nest, and so all its runs."""
    os._exit(0)
