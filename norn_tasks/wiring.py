"""From settings to Tools: the only module that knows every adapter."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from norn_tasks.adapters.directories import LocalDirectories
from norn_tasks.adapters.disk import spaces
from norn_tasks.adapters.docker_cluster import DockerCluster
from norn_tasks.adapters.engine import Engine
from norn_tasks.adapters.git import GitCommand
from norn_tasks.adapters.images import BuildLimits, DockerImages
from norn_tasks.adapters.outgoing import Outgoing
from norn_tasks.adapters.registry import Registry
from norn_tasks.adapters.runtimes import runtimes
from norn_tasks.adapters.runtimes.noop import instead_of
from norn_tasks.adapters.uploads import UnpackedUploads
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.adapters.volumes import DockerVolumes
from norn_tasks.adapters.webhooks import Webhooks
from norn_tasks.domain.disk import Least, Space
from norn_tasks.domain.errors import DatabaseDown, Stopped
from norn_tasks.ports import Limits, Runtime, Tools, Typed, Watch
from norn_tasks.settings import Settings
from norn_tasks.store import builds, instance
from norn_tasks.store.deliveries import Outbox
from norn_tasks.store.live import Live
from norn_tasks.store.routes import ReplicaTable
from norn_tasks.store.session import Database
from norn_tasks.store.sources import UploadTable

RUN_MEMORY = 512 * 1024**2
RUN_CPUS = 1.0
"""What a cron run or a test gets when its spec says nothing (behaviour.md §1, `resources`)."""


def _build_limits(settings: Settings) -> BuildLimits:
    least = Least(settings.disk_build_free, settings.disk_build_percent)
    return BuildLimits(
        settings.build_timeout,
        settings.build_memory,
        settings.build_cpus,
        least,
        settings.build_cache_max,
        classic=settings.builder == "classic",
    )


def engine_identity(settings: Settings) -> Callable[[], str]:
    """Answers a function that asks the engine for its id."""
    return _runtimes(settings, Engine(settings.engine_address, timeout=5), "")["docker"].identity


LOOK_SECONDS = 0.5
"""How often a waiting build looks whether it is its turn."""


def disks(settings: Settings) -> Callable[[], tuple[Space, ...]]:
    """Answers a function that looks how much room this worker's disks have; it raises EngineDown."""
    engine = Engine(settings.engine_address, timeout=5)
    return lambda: spaces(engine, settings.data_dir / "work")


def engine_memory(settings: Settings) -> Callable[[], int]:
    """Answers a function that tells how much memory the engine has for apps; 0 where nothing runs on it."""
    if settings.engine_memory or (settings.noop_runtime and settings.test_build):
        return lambda: settings.engine_memory
    return Engine(settings.engine_address, timeout=5).memory_for_apps


def _runtimes(settings: Settings, engine: Engine, instance: str) -> dict[str, Runtime]:
    return instead_of(runtimes(engine, instance), wanted=settings.noop_runtime, test_build=settings.test_build)


def tools(settings: Settings, database: Database, live: Live) -> Tools:
    """Builds the outside world as the settings describe it; raises DatabaseDown."""
    engine = Engine(settings.engine_address)
    name = instance.name(database)
    workspace, vault = settings.data_dir / "work", AgeVault(settings.age_key, settings.age_key_path)
    return Tools(
        git=GitCommand(allow_private=settings.git_private, timeout=settings.clone_timeout, most=settings.source_max),
        directories=LocalDirectories(most=settings.source_max),
        sources=UnpackedUploads(UploadTable(database), most=settings.source_max),
        images=DockerImages(
            engine,
            workspace,
            _build_limits(settings),
            BuildPlaces(database, engine_identity(settings)),
            registry=Registry.at(settings.registry_url, settings.registry_config),
        ),
        cluster=DockerCluster(
            engine,
            ReplicaTable(database, patience=settings.self_stop_seconds),
            instance=name,
            rollout_timeout=settings.rollout_timeout,
            drain_timeout=settings.drain_timeout,
        ),
        runtimes=_runtimes(settings, engine, name),
        volumes=DockerVolumes(engine, name, settings.host_paths),
        limits=Limits(
            test_timeout=settings.test_timeout,
            run_memory=RUN_MEMORY,
            run_cpus=RUN_CPUS,
            engine_patience=settings.engine_patience,
            workspace=workspace,
            router_ports=(settings.router_port_first, settings.router_port_last),
            instance=name,
        ),
        live=_LiveStreams(live),
        vault=vault,
        messenger=Webhooks(
            Outbox(database, name), vault, Outgoing(private=settings.outgoing_private), settings.deadman_url
        ),
    )


class BuildPlaces:
    """The queue of builds as the adapter sees it (ports.BuildQueue): rows of the database, by the engine's id."""

    def __init__(self, database: Database, engine: Callable[[], str]) -> None:
        self._database, self._engine = database, engine

    @contextmanager
    def turn(self, watch: Watch) -> Iterator[None]:
        """Waits for our turn and holds it for the block."""
        engine, told = self._engine(), ""
        while not self._asked(engine, watch):
            watch.stop.wait(LOOK_SECONDS)
            watch.stop.check()
        try:
            while ahead := self._ahead(engine, watch):
                if ahead != told:
                    watch.say(f"waiting for {ahead} to end: one build at a time per engine\n")
                told = ahead
                watch.stop.wait(LOOK_SECONDS)
                watch.stop.check()
            yield
        finally:
            self._leave(watch)

    def _asked(self, engine: str, watch: Watch) -> bool:
        try:
            with self._database.transaction() as tx:
                builds.ask(tx, engine, watch.fence)
        except DatabaseDown:
            return False
        return True

    def _ahead(self, engine: str, watch: Watch) -> str | None:
        try:
            with self._database.transaction() as tx:
                return builds.ahead(tx, engine, watch.fence)
        except DatabaseDown:
            return "the database"

    def _leave(self, watch: Watch) -> None:
        """A place that cannot be given back now is nobody's as soon as the job has ended."""
        try:
            with self._database.transaction() as tx:
                builds.leave(tx, watch.fence)
        except DatabaseDown:
            return


class _LiveStreams:
    """The live side of the broker as steps see it (ports.LiveStreams)."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def of_job(self, job: int, watch: Watch) -> _LiveStream:
        """Opens a job's stream."""
        return _LiveStream(self._live, job, watch)

    def terminal(self, job: int, watch: Watch) -> _Terminal:
        """Opens the terminal of whoever asked for the job."""
        return _Terminal(self._live, job, watch)


PIPE_MOST = 64
"""Pieces that wait in a pipe before its writer does."""


class _Terminal:
    """Whoever asked for a job (ports.Terminal): two pipes at the broker, one each way."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._last = live, job, 0
        self.stop = _NobodyReads(live, job, watch)

    def typed(self, seconds: float) -> Typed | None:
        """Waits for the next piece; one that came twice is left out."""
        item = self._live.take(f"{self._job}:in", seconds)
        if item is None:
            return None
        told = json.loads(item)
        if told["seq"] <= self._last:
            return None
        self._last = told["seq"]
        size = told["size"]
        return Typed(base64.b64decode(told["data"]), told["eof"], (size[0], size[1]) if size else None)

    def wrote(self, stream: str, data: bytes) -> None:
        """Hands a piece on, and waits while too many wait to be read."""
        self._put({stream: base64.b64encode(data).decode("ascii")})

    def ended(self, exit_code: int) -> None:
        """Hands on how the program ended."""
        self._put({"exit": exit_code})

    def _put(self, told: dict[str, Any]) -> None:
        item = json.dumps(told)
        while not self._live.offer(f"{self._job}:out", item, most=PIPE_MOST):
            self.stop.check()
            self.stop.wait(0.02)


class _LiveStream:
    """One job's stream (ports.LiveStream)."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job = live, job
        self.stop = _NobodyReads(live, job, watch)

    def line(self, source: str, text: str) -> None:
        """Sends one line."""
        self._live.emit(self._job, source, text)

    def end(self) -> None:
        """Tells the readers that no more will come."""
        self._live.emit(self._job, "", "", last=True)


class _NobodyReads:
    """Set with the job's own stop, or when nobody reads the stream any more (ports.Stop)."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._outer = live, job, watch.stop

    @property
    def reason(self) -> str | None:
        """`cancelled` when nobody reads."""
        return self._outer.reason or (None if self._live.watched(self._job) else "cancelled")

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long; True when the stop is set."""
        return self._outer.wait(seconds) or self.reason is not None

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        if self.reason is not None:
            raise Stopped(f"the reading was stopped: {self.reason}", reason=self.reason)
