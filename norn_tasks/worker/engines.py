"""The engines of a worker: which of them answer, and which capabilities the worker therefore has."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from norn_tasks.domain.disk import Space
from norn_tasks.domain.errors import DatabaseDown, NornError
from norn_tasks.domain.jobs.placement import (
    BUILDS,
    HOME,
    NEST,
    cluster_capability,
    engine_capability,
    runtime_capability,
)
from norn_tasks.ports import Engine, FastRoad, Runtime
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import engines
from norn_tasks.store.fleet.engines import EngineMembership

REPORT_SECONDS = 5.0
"""The seconds between two reports of a worker. The known state of an engine is used for the same time."""
_HANGS_SECONDS = 1.0
"""If an engine does not answer within this many seconds, and does not refuse the connection, it counts as hanging."""

Registration = Callable[[str], EngineMembership]
"""A function that registers an engine by its id, and returns how the engine belongs to the control plane."""


@dataclass(frozen=True)
class WorkerTools:
    """The engines and runtimes that a worker's tools have, by name.

    `main` names the engine that has the images. The worker counts as on the home engine if this engine is the home
    engine. `others` return the ids of the rest. `runtimes` maps each runtime to its engine, `clusters` each cluster to
    the engine of its replicas, or to None for Kubernetes.
    """

    main: str = "main"
    others: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    runtimes: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str | None] = field(default_factory=dict)
    fast: FastRoad | None = None
    """A faster way to start runs; while it is ready, the worker announces it as a runtime."""

    @classmethod
    def of(
        cls, engines: Mapping[str, Engine], runtimes: Mapping[str, Runtime], clusters: Mapping[str, str | None]
    ) -> WorkerTools:
        """Returns the tools of these engines, runtimes and clusters; the first engine is the main one."""
        main, *others = engines
        identities = {name: engines[name].identity for name in others}
        return cls(main, identities, {name: runtime.engine for name, runtime in runtimes.items()}, clusters)

    @property
    def apart(self) -> tuple[str, ...]:
        """The clusters with machines of their own (Kubernetes)."""
        return tuple(name for name, engine in self.clusters.items() if engine is None)

    def reached(self, engines: Collection[str], home: bool) -> frozenset[str]:
        """Returns the capabilities for the worker's clusters while these engines answer.

        Only a worker on the home engine can use a cluster that is on an engine, because other engines do not have the
        apps' replicas.
        """
        there = {None} | (set(engines) if home else set())
        return frozenset(cluster_capability(name) for name, engine in self.clusters.items() if engine in there)


class EngineIdentity:
    """The ids of this worker's engines while they answer, and the disks and the memory of the main one.

    `standing`: whether the main engine is the home engine, another engine that a registry allows, or refused (and then
    has no id). `spoken_for`: the main engine's id, even while the engine is unreachable, because its jobs wait for this
    worker. `measure` returns the main engine's memory for apps; it is called until it returns more than 0. `every`: the
    seconds for which an answer is valid.
    """

    def __init__(
        self,
        ask: Callable[[], str],
        stand: Registration,
        disks: Callable[[], tuple[Space, ...]] = tuple,
        measure: Callable[[], int] = lambda: 0,
        every: float = REPORT_SECONDS,
        has: WorkerTools = WorkerTools(),
    ) -> None:
        self._ask, self._stand, self._disks, self._measure, self._has = ask, stand, disks, measure, has
        self._every, self._asking, self._looked = every, threading.Lock(), float("-inf")
        self._hung_until = float("-inf")
        self.memory = 0
        self.spaces: tuple[Space, ...] = ()
        self.id: str | None = None
        self.spoken_for: str | None = None
        self.error: str | None = "not asked yet"
        self.standing = EngineMembership(home=True)
        self._others: dict[str, str] = {}
        self._known: dict[str, str] = {}

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids of the engines that answer, by name."""
        main = {} if self.id is None else {self._has.main: self.id}
        return main | self._others

    @property
    def known(self) -> tuple[str, ...]:
        """The ids of all engines that have answered, even of one that is unreachable now; empty if the worker is
        refused.
        """
        return () if self.standing.refused else tuple(sorted(self._known.values()))

    @property
    def tools(self) -> WorkerTools:
        """The engines, runtimes and clusters of the worker, by name."""
        return self._has

    @property
    def complete(self) -> bool:
        """True if the worker can do everything that any worker can: it is on the home engine, and every engine
        answers.
        """
        return self.standing.home and len(self.ids) == 1 + len(self._has.others)

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the worker has now; see `domain.jobs.placement`."""
        ids = self.ids
        can = {engine_capability(identity) for identity in ids.values()}
        can |= {runtime_capability(name) for name, engine in self._has.runtimes.items() if engine in ids}
        if self.id is not None:
            can |= {BUILDS, HOME} if self.standing.home else {BUILDS}
        can |= self._has.reached(ids, self.standing.home)
        if self._has.fast is not None and self._has.fast.ready:
            can.add(runtime_capability(NEST))
        return frozenset() if self.standing.refused else frozenset(can)

    @property
    def once_back(self) -> frozenset[str]:
        """The capabilities that the worker has when its engines answer again, as far as that is known."""
        can = {engine_capability(identity) for identity in self.known} | {BUILDS}
        can |= {runtime_capability(name) for name in self._has.runtimes}
        can |= self._has.reached((self._has.main, *self._has.others), self.standing.home)
        return frozenset(can | {HOME} if self.standing.home else can)

    def look(self) -> None:
        """Asks each engine for its id; an engine that does not answer has no id until it answers."""
        began, hung_until = time.monotonic(), float("-inf")
        try:
            self._settle(self._ask())
            self.spaces = self._disks()
            self.memory = self.memory or self._measure()
        except NornError as error:
            self.id, self.error = None, error.sentence
            ended = time.monotonic()
            if ended - began >= _HANGS_SECONDS:
                hung_until = ended + 2 * self._every
        self._hung_until = hung_until
        self._look_at_others()
        self._known |= self.ids
        self._looked = time.monotonic()

    def refresh(self, within: float | None = None) -> None:
        """Asks the engines again, because one may have come, gone or been replaced, or the home engine may have
        changed.

        An answer from the last `within` seconds is still valid; by default one from the last `every` seconds. Only one
        thread asks at a time. Without `within`, threads that already know an engine keep using it, and the others wait.
        An engine that hangs is only asked by the thread that reports for the worker, because each question would delay
        a claim by seconds.
        """
        arrived, known = time.monotonic(), self.id is not None
        if arrived < self._hung_until:
            return
        if known and arrived - self._looked <= (self._every if within is None else within):
            return
        if not self._asking.acquire(blocking=not known or within is not None):
            return
        try:
            if self._looked <= arrived:
                self.look()
        finally:
            self._asking.release()

    def _settle(self, engine: str) -> None:
        with contextlib.suppress(DatabaseDown):  # without a database no worker can claim, so nothing changes
            self.standing = self._stand(engine)
        refused = self.standing.refused
        self.id, self.error = (engine, None) if refused is None else (None, refused)
        self.spoken_for = self.id

    def _look_at_others(self) -> None:
        answering = {}
        for name, ask in self._has.others.items():
            with contextlib.suppress(NornError):
                answering[name] = ask()
        self._others = answering


def registering(database: Database, settings: Settings) -> Registration:
    """Returns the function with which this machine's workers register their main engine."""

    def register(engine: str) -> EngineMembership:
        with database.transaction() as tx:
            return engines.speak(tx, engine, socket.gethostname(), registry=bool(settings.registry_url))

    return register
