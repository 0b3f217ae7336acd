"""The presence of a worker: its row, written every few seconds, with the engine it speaks for; and its last word."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from norn_tasks.domain.disk import Space
from norn_tasks.domain.errors import DatabaseDown, NornError, NotFound
from norn_tasks.domain.job import JobClass, JobState
from norn_tasks.settings import Settings
from norn_tasks.store import engines, jobs, workers
from norn_tasks.store.engines import Standing
from norn_tasks.store.session import Database
from norn_tasks.worker.liveness import Liveness, end_myself

log = structlog.get_logger()
SPEAK_SECONDS = 5.0


Stand = Callable[[str], Standing]
"""Speaks for an engine, and answers how that stands to the control plane's home."""


class EngineIdentity:
    """The id of this worker's engine while that answers, asked again and again; and its disks.

    `standing`: whether it is home, another that a registry allows, or refused; then it has no id for anybody.
    `measure` answers how much memory it has for apps; that is asked once. `every`: seconds for which an answer holds.
    `spoken_for`: the id also while the engine is away; its worker takes what waits for it as soon as it is back.
    """

    def __init__(
        self,
        ask: Callable[[], str],
        stand: Stand,
        disks: Callable[[], tuple[Space, ...]] = tuple,
        measure: Callable[[], int] = lambda: 0,
        every: float = SPEAK_SECONDS,
    ) -> None:
        self._ask, self._stand, self._disks, self._measure = ask, stand, disks, measure
        self._every, self._asking, self._looked = every, threading.Lock(), float("-inf")
        self.memory = 0
        self.spaces: tuple[Space, ...] = ()
        self.id: str | None = None
        self.spoken_for: str | None = None
        self.error: str | None = "not asked yet"
        self.standing = Standing(home=True)

    def look(self) -> None:
        """Asks the engine; an engine that does not answer has no id meanwhile."""
        try:
            self._settle(self._ask())
            self.spaces = self._disks()
            self.memory = self.memory or self._measure()
        except NornError as error:
            self.id, self.error = None, error.sentence
        self._looked = time.monotonic()

    def refresh(self) -> None:
        """Asks again what may have changed since: an engine that came, went or was replaced, or another home.

        Of many threads one asks. Who knows an engine goes on with that meanwhile, who knows none waits for the answer.
        """
        arrived, known = time.monotonic(), self.id is not None
        if known and arrived - self._looked <= self._every:
            return
        if not self._asking.acquire(blocking=not known):
            return
        try:
            if self._looked <= arrived:
                self.look()
        finally:
            self._asking.release()

    def _settle(self, engine: str) -> None:
        with contextlib.suppress(DatabaseDown):  # then all stays as it was: nobody claims without a database
            self.standing = self._stand(engine)
        refused = self.standing.refused
        self.id, self.error = (engine, None) if refused is None else (None, refused)
        self.spoken_for = self.id


def speaking(database: Database, settings: Settings) -> Stand:
    """Answers how this machine's workers speak for an engine."""

    def stand(engine: str) -> Standing:
        with database.transaction() as tx:
            return engines.speak(tx, engine, socket.gethostname(), registry=bool(settings.registry_url))

    return stand


class PresenceThread:
    """Speaks for the worker until it leaves."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        liveness: Liveness,
        engine: EngineIdentity,
        end: Callable[[], None] = end_myself,
    ) -> None:
        self._database, self._settings, self._liveness, self._engine = database, settings, liveness, engine
        self._name, self._class = liveness.name, liveness.job_class
        self._end, self._draining, self._spoken = end, False, False
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._speak_often, name="norn-presence", daemon=True)

    def start(self) -> None:
        """Speaks at once, and from then on every few seconds."""
        self._thread.start()

    def drain(self) -> None:
        """Marks the worker as draining; its jobs read that with their heartbeat."""
        self._draining = True
        self._quietly(self._marked)

    def leave(self) -> None:
        """Takes the row away: the worker ends in an orderly way."""
        self._gone.set()
        self._quietly(self._left)
        log.info("worker has left", worker=self._name)

    def _marked(self) -> None:
        with self._database.transaction() as tx:
            workers.drain(tx, self._name)

    def _left(self) -> None:
        with self._database.transaction() as tx:
            workers.leave(tx, self._name)

    def _quietly(self, say: Callable[[], None]) -> None:
        try:
            say()
        except (DatabaseDown, NotFound) as error:
            log.warning("presence not written", worker=self._name, error=error.sentence)

    def _speak_often(self) -> None:
        while not self._gone.is_set():
            self._engine.look()
            self._quietly(self._speak)
            self._quietly(self._tidy)
            self._quietly(self._liveness.look)
            self._quietly(self._heed)
            self._gone.wait(SPEAK_SECONDS)

    def _speak(self) -> None:
        with self._database.transaction() as tx:
            workers.say(tx, self.presence(), first=not self._spoken)
        self._spoken = True

    def _heed(self) -> None:
        """Leaves as by SIGTERM when somebody asked the worker to drain."""
        with self._database.transaction() as tx:
            asked = workers.is_draining(tx, self._name)
        if asked and not self._draining:
            self._draining = True
            log.warning("worker drains: it was asked to", worker=self._name)
            self._end()

    def presence(self) -> workers.Presence:
        """Answers what the worker says of itself."""
        return workers.Presence(
            name=self._name,
            job_class=self._class,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._settings.slots(self._class),
            engine=self._engine.spoken_for,
            engine_error=self._engine.error,
            spaces=self._engine.spaces,
            clock=time.time(),
            memory=self._engine.memory,
            building=self._settings.build_memory,
        )

    def _tidy(self) -> None:
        """Throws away what killed workers left in this machine's workspace: directories of jobs that have ended."""
        if self._class is not JobClass.DEPLOY:
            return
        for directory in workspace(self._settings).glob("job-*"):
            job = directory.name.removeprefix("job-")
            if job.isdigit() and self._ended(int(job)):
                shutil.rmtree(directory, ignore_errors=True)

    def _ended(self, job: int) -> bool:
        with self._database.transaction() as tx:
            try:
                return JobState(jobs.get(tx, job)["state"]).terminal
            except NotFound:
                return True


def workspace(settings: Settings) -> Path:
    """Answers where jobs have their private directories on this machine."""
    return settings.data_dir / "work"
