"""The presence of a worker: its rows, one for each class, which it writes every few seconds and removes at its end."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from norn_tasks import trees
from norn_tasks.domain.errors import Conflict, DatabaseDown, NotFound
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue import jobs
from norn_tasks.worker.engines import REPORT_SECONDS, EngineIdentity
from norn_tasks.worker.liveness import Liveness, end_myself, look
from norn_tasks.worker.process_id import ProcessId

log = structlog.get_logger()
HANGS_SECONDS = 180.0
"""Seconds after which one round of this thread counts as hanging; its waits for engine and database end earlier."""


class PresenceThread:
    """Writes the worker's rows until the worker leaves: one for each class that it serves."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        workers: Sequence[Liveness],
        engine: EngineIdentity,
        end: Callable[[], None] = end_myself,
        hangs: float = HANGS_SECONDS,
    ) -> None:
        self._database, self._settings, self._workers, self._engine = database, settings, tuple(workers), engine
        self._names = ", ".join(each.name for each in workers)
        self._hangs = hangs
        self._process = str(ProcessId.own())
        self._end, self._draining, self._spoken = end, False, False
        self._gone = threading.Event()
        self._turned = time.monotonic()
        self._thread = self._speaker()

    def start(self) -> None:
        """Starts the thread, which reports immediately and then every few seconds."""
        self._turned = time.monotonic()
        self._thread.start()
        threading.Thread(target=self._guard_often, name="norn-presence-guard", daemon=True).start()

    def _speaker(self) -> threading.Thread:
        return threading.Thread(target=self._speak_often, name="norn-presence", daemon=True)

    def _guard_often(self) -> None:
        while not self._gone.wait(REPORT_SECONDS):
            self.guard()

    def guard(self) -> None:
        """Replaces the thread if it died; if it hangs, ends the worker as SIGTERM would.

        This runs in another thread. Without reports the worker counts as dead, and no other part of it would notice.
        """
        if not self._thread.is_alive():
            log.error("the presence thread died, and another one replaces it", worker=self._names)
            self._thread = self._speaker()
            self._turned = time.monotonic()
            self._thread.start()
        elif time.monotonic() - self._turned > self._hangs:
            log.error("the presence thread hangs, so the worker ends itself", worker=self._names, seconds=self._hangs)
            self._turned = time.monotonic()
            self._end()

    def drain(self) -> None:
        """Marks the worker as draining; its jobs read that with their heartbeat."""
        self._draining = True
        self._quietly(self._marked)

    def leave(self) -> None:
        """Removes the row, because the worker ends normally."""
        self._gone.set()
        self._quietly(self._left)
        log.info("worker has left", worker=self._names)

    def _marked(self) -> None:
        with self._database.transaction() as tx:
            for each in self._workers:
                workers.drain(tx, each.name, process=self._process)

    def _left(self) -> None:
        with self._database.transaction() as tx:
            for each in self._workers:
                workers.leave(tx, each.name, self._process)

    def _quietly(self, say: Callable[[], None]) -> None:
        try:
            say()
        except (DatabaseDown, NotFound) as error:
            log.warning("presence not written", worker=self._names, error=error.sentence)
        except Exception:
            # Without this thread the worker counts as gone, although it works.
            log.exception("a part of the presence failed, and the others go on", worker=self._names)

    def _speak_often(self) -> None:
        while not self._gone.is_set():
            self._turned = time.monotonic()
            self._quietly(self._engine.look)
            self._quietly(self._speak)
            self._quietly(self._tidy)
            self._quietly(lambda: look(self._workers))
            self._gone.wait(REPORT_SECONDS)

    def _speak(self) -> None:
        try:
            with self._database.transaction() as tx:
                asked = workers.say_all(tx, self.presences(), first=not self._spoken)
            self._spoken = True
        except Conflict as error:
            log.error("worker leaves: another process has taken its name", worker=self._names, error=error.sentence)
            self._end_once()
        else:
            self._heed(asked=bool(asked))

    def _heed(self, *, asked: bool) -> None:
        """Ends the worker, as SIGTERM would, if it was asked to drain."""
        if asked and not self._draining:
            log.warning("worker drains: it was asked to", worker=self._names)
            self._end_once()

    def _end_once(self) -> None:
        if not self._draining:
            self._draining = True
            self._end()

    def presences(self) -> list[workers.Presence]:
        """Returns the worker's reports about itself, one for each class."""
        return [self._presence(each) for each in self._workers]

    def _presence(self, worker: Liveness) -> workers.Presence:
        return workers.Presence(
            name=worker.name,
            job_class=worker.job_class,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=worker.slots,
            engine=self._engine.spoken_for,
            engine_error=self._engine.error,
            spaces=self._engine.spaces,
            clusters=tuple(self._engine.tools.clusters),
            clusters_apart=self._engine.tools.apart,
            clock=time.time(),
            memory=self._engine.memory,
            building=self._settings.build_reserve(self._engine.memory),
            capabilities=self._engine.capabilities,
            engines=self._engine.known,
            process=self._process,
        )

    def _tidy(self) -> None:
        """Removes directories that killed workers left behind in this machine's workspace, if their jobs have ended."""
        if all(each.job_class is not JobClass.DEPLOY for each in self._workers):
            return
        for directory in workspace(self._settings).glob("job-*"):
            job = directory.name.removeprefix("job-")
            if job.isdigit() and self._ended(int(job)):
                trees.remove(directory)

    def _ended(self, job: int) -> bool:
        with self._database.transaction() as tx:
            try:
                return JobState(jobs.get(tx, job)["state"]).terminal
            except NotFound:
                return True


def workspace(settings: Settings) -> Path:
    """Returns where jobs have their private directories on this machine."""
    return settings.data_dir / "work"
