"""Stores one container's log lines, beginning at the position where the last reading ended."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from norn_tasks.adapters.docker.client import APP, EngineClient
from norn_tasks.adapters.docker_cluster import policy
from norn_tasks.adapters.docker_cluster.collecting.stream import EngineLog
from norn_tasks.adapters.kept_logs.intake import LineIntake
from norn_tasks.domain.app_logs.lines import LogOrigin
from norn_tasks.domain.errors import NornError
from norn_tasks.ports import Hiding, KeptLogs

log = logging.getLogger(__name__)

BATCH = 256 * 1024
"""When the lines that were read reach this number of bytes, they are stored."""
_CALM, _OFTEN = 0.02, 0.25
"""Lines are stored after the first number of seconds without new output, and at the latest after the second."""
_IDLE = 5.0
_REST = 0.5
"""The least seconds between two readings of a container that writes much. After a long reading the pause is twice its
duration.
"""
_WAIT_FOR_READER = 10.0
"""Seconds for which the removal of a container waits for the reader of its log."""


class ContainerLog:
    """Moves one container's log lines from the engine into Norn's log store."""

    def __init__(self, address: str, logs: KeptLogs, hiding: Hiding, app: str, origin: LogOrigin) -> None:
        self._address, self._logs, self._hiding = address, logs, hiding
        self._app, self._origin = app, origin

    def collect(self, stop: threading.Event) -> bool:
        """Stores the container's output until the container ends or the stop is set; returns True at the end of the
        log.

        Returns False immediately if the container has another reader. Raises NotFound, EngineDown, DiskFull,
        DatabaseDown or SecretsLocked. After any of these errors, a new call continues at the stored position, before
        which all output has been stored.
        """
        while not stop.is_set():
            began = time.monotonic()
            with self._logs.reader(self._app, self._origin.container, 0) as mine:
                if not mine:
                    return False
                much = self.read() >= BATCH
                if not much and self._follow(stop):
                    self.read(ended=True)
                    return True
            if much:  # in this pause, the code that removes the container may become its reader
                stop.wait(max(_REST, 2 * (time.monotonic() - began)))
        return False

    def read(self, *, ended: bool = False) -> int:
        """Stores all output that the engine has and that is not stored yet; returns the number of bytes.

        `ended`: the container has ended, and no more output will come.
        """
        intake, size, over = self._intake(), 0, False
        with EngineLog(self._address, self._origin.container, intake.since, follow=False) as entries:
            while not over:
                fresh, over = entries.read()
                intake.feed(fresh)
                if over and ended:
                    intake.end()
                if over or intake.size >= BATCH:
                    size += self._keep(intake)
        return size

    def _follow(self, stop: threading.Event) -> bool:
        """Stores new output as long as there is little; returns True when the log has ended."""
        intake, kept_at = self._intake(), time.monotonic()
        with EngineLog(self._address, self._origin.container, intake.since, follow=True) as entries:
            while not stop.is_set():
                if not entries.ready(_CALM if intake.size else _IDLE):
                    self._keep(intake)
                    kept_at = time.monotonic()
                    continue
                fresh, over = entries.read()
                intake.feed(fresh)
                if over:
                    return True
                if intake.size >= BATCH:
                    return False
                if time.monotonic() - kept_at > _OFTEN:
                    self._keep(intake)
                    kept_at = time.monotonic()
        return False

    def _intake(self) -> LineIntake:
        hidden = self._hiding.of(self._app)
        return LineIntake(self._logs.position(self._app, self._origin.container), hidden)

    def _keep(self, intake: LineIntake) -> int:
        size, batch = intake.size, intake.batch()
        if batch is not None:
            self._logs.keep(self._app, self._origin, batch)
        return size


def origin_of(container: str, marks: dict[str, Any]) -> LogOrigin:
    """Returns which replica wrote the lines of a container, from the container's labels; raises KeyError or ValueError
    if labels are missing.
    """
    return LogOrigin(container, int(marks[policy.RELEASE]), int(marks[policy.GENERATION]), int(marks[policy.INDEX]))


class LastLines:
    """Stores the last lines of containers that are about to be removed."""

    def __init__(self, engine: EngineClient, logs: KeptLogs, hiding: Hiding) -> None:
        self._engine, self._logs, self._hiding = engine, logs, hiding

    def keep(self, container: str) -> None:
        """Stores the remaining lines of a container that has ended. Errors are only logged, so that the removal never
        fails here.
        """
        try:
            found: dict[str, Any] = self._engine.briefly(lambda client: client.inspect_container(container))
            marks = found["Config"]["Labels"] or {}
            app, origin = marks[APP], origin_of(found["Id"], marks)
            with self._logs.reader(app, origin.container, _WAIT_FOR_READER) as mine:
                if mine:
                    ContainerLog(self._engine.address, self._logs, self._hiding, app, origin).read(ended=True)
                else:
                    log.warning(
                        "the last lines of %s may be lost: its log was still being read after %g s",
                        container[:12], _WAIT_FOR_READER,
                    )  # fmt: skip
        except NornError as error:
            log.warning("the last lines of %s were not kept: %s", container[:12], error.sentence)
        except OSError as error:
            log.warning("the last lines of %s were not kept: %s", container[:12], error)
        except (KeyError, ValueError) as error:
            log.warning("the last lines of %s were not kept: its labels cannot be read: %r", container[:12], error)
