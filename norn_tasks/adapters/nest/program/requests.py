"""Serves clients, with one connection per request; a run's connection lasts until the run ends, or until its owner (the
worker that holds the run's job) leaves.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from typing import IO, Any

from norn_tasks.adapters.nest.program import cgroups, frames, sandbox, wanted
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.adapters.nest.program.roots.images import NestImageStore
from norn_tasks.adapters.nest.program.run import NestRun
from norn_tasks.adapters.nest.program.runs import EPOCH, OrderRefused, Runs

log = logging.getLogger(__name__)
_SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}


class Requests:
    """Carries out every request that a client may send."""

    def __init__(self, runs: Runs, images: NestImageStore) -> None:
        self._runs, self._images = runs, images
        self._trusted = False

    def serve(self, connection: socket.socket) -> None:
        """Serves one connection until it ends."""
        link = Link(connection)
        try:
            request = link.line()
            if request is not None:
                self._answer(link, request)
        except OrderRefused as error:
            link.send(frames.REFUSED, {"word": error.word, "said": str(error)})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            log.warning("a request failed: %r", error)
            link.send(frames.REFUSED, {"word": "failed", "said": str(error)})
        finally:
            link.cut()
            link.close()

    def _answer(self, link: Link, request: dict[str, Any]) -> None:
        word = request["do"]
        if word == "run":
            self._run(link, request)
        elif word == "attach":
            self._attach(link, request["id"], int(request["fence"]))
        elif word == "bring":
            self._bring(link, request)
        elif word == "remove":
            self._runs.remove(request["id"], request.get("fence"))
            link.send(frames.END, {})
        elif word == "prune":
            # Images of running sandboxes are kept, because a sandbox reads its files directly from their layers.
            keep = {*request["keep"], *self._runs.images()}
            link.send(frames.END, {"removed": self._images.prune(request["app"], keep)})
        elif word == "list":
            link.send(frames.END, {"runs": self._runs.seen()})
        elif word == "trust":
            self._trusted = True
            link.send(frames.END, {})
        elif word == "look":
            link.send(frames.END, self._facts())
        else:
            raise OrderRefused("failed", f"the nest knows no request {word}")

    def _bring(self, link: Link, request: dict[str, Any]) -> None:
        def ask() -> IO[bytes]:
            link.send(frames.STARTED, {})
            return link.input

        self._images.bring(wanted.plain_name(request["image"]), request["facts"], ask)
        link.send(frames.END, {"there": True})

    def _facts(self) -> dict[str, Any]:
        return {
            "epoch": EPOCH,
            "cgroup": 2 if cgroups.is_v2() else 1,
            "build": os.environ.get("NEST_BUILD", ""),
            "apparmor": sandbox.has_apparmor(),
            "trusted": self._trusted,
        }

    def _run(self, link: Link, request: dict[str, Any]) -> None:
        wanted.checked(request)
        run = self._runs.reserve(request, link.input.read(request["stdin"]))
        link.send(frames.RESERVED, {"id": run.id})
        run.take(link)
        self._heed(link, run)

    def _attach(self, link: Link, name: str, fence: int) -> None:
        if self._runs.withdraw(name):
            raise OrderRefused("withdrawn", "the run was never started")
        run = self._runs.taken(name, fence)
        link.send(frames.RESERVED, {"id": run.id})
        run.take(link)
        self._heed(link, run)

    def _heed(self, link: Link, run: NestRun) -> None:
        """Carries out the commands of a run's owner until the owner disconnects."""
        try:
            while (command := link.line()) is not None:
                if command["do"] == "start":
                    self._runs.start(run)
                elif command["do"] == "kill":
                    run.kill(_SIGNALS[command["signal"]])
        finally:
            if run.belongs_to(link):
                self._runs.left(run)
