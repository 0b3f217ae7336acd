"""Creates and tests the nest (the container in which crun starts runs) when the worker starts, and again if it no
longer exists.
"""

from __future__ import annotations

import threading

import structlog

from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.errors import NornError
from norn_tasks.ports import FastRoad

log = structlog.get_logger()
_LOOK_SECONDS = 5.0
_AGAIN_SECONDS = 60.0
_LONGEST_SECONDS = 900.0


class NestThread:
    """Keeps the nest ready. While it is not ready, runs use Docker containers."""

    def __init__(self, road: FastRoad) -> None:
        self._road = road

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._keep, name="norn-nest", daemon=True).start()

    def _keep(self) -> None:
        failures, pausing = 0, threading.Event()
        while True:
            try:
                if self._road.make():
                    log.info("the nest is ready: runs start in it")
                failures, wait = 0, _LOOK_SECONDS
            except (NornError, OSError) as error:
                said, hint = (error.sentence, error.hint) if isinstance(error, NornError) else (str(error), "")
                log.warning("there is no nest, so runs go through Docker", error=said, hint=hint)
                failures += 1
                wait = doubling_pause(_AGAIN_SECONDS, failures, most=_LONGEST_SECONDS)
            pausing.wait(wait)
