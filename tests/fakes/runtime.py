"""A runtime in memory. Programs are values that describe their behaviour. Waiting takes real time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from norn_tasks.adapters.capture import HEAD, TAIL
from norn_tasks.domain.errors import Conflict, LeaseLost, ReleaseGone, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import Hooks, Run, Watch
from tests.fakes.engine import FakeContainer, FakeEngine


@dataclass(frozen=True)
class Does:
    """The behaviour of a program: it ends after `seconds`, and has then written the given output. `echo`: stdout is its
    stdin.

    `tells`: a variable whose value it writes to both streams. `last_words`: its output when it gets SIGTERM.
    """

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0
    echo: bool = False
    out_of_memory: bool = False
    tells: str = ""
    last_words: str = ""


@dataclass
class FakeRuntime:
    """A fake of `ports.Runtime` on the engine `on`. Tests set `programs` (by argv) or `default`, and read `ran`.

    `images`: the existing images; None: all exist.
    """

    programs: Mapping[tuple[str, ...], Does] = field(default_factory=dict)
    default: Does = field(default_factory=Does)
    images: set[str] | None = None
    on: FakeEngine = field(default_factory=FakeEngine)
    name: str = "docker"
    ran: list[Run] = field(default_factory=list)
    brought: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.engine = self.on.name
        self.on.runs = self._running

    @property
    def containers(self) -> dict[str, FakeContainer]:
        """The containers on its engine."""
        return self.on.containers_by_id

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Records that the image was prepared."""
        self.brought.append(image)
        return ""

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the prepared images except those in `keep`; returns how many."""
        gone = [image for image in self.brought if image not in keep]
        self.brought = [image for image in self.brought if image in keep]
        return len(gone)

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Plays a run: creates the container, records it, begins, starts, waits for the end and removes the
        container.
        """
        container = self._create(run, watch)
        begun = False
        try:
            hooks.created(container.id)
            watch.stop.check()
            hooks.begun()
            begun = True
            if container.id not in self.containers:
                return ContainerExit(None)
            self.ran.append(run)
            self.containers[container.id] = replace(container, started=time.monotonic())
            ended = self._wait(container.id, run, watch)
        except Stopped:
            if not (begun and run.outlives_owner and watch.stop.reason in ("draining", "lease_lost")):
                self.on.remove(container.id)
            raise
        except BaseException:
            self.on.remove(container.id)
            raise
        self.on.remove(container.id)
        return ended if ended is not None else ContainerExit(None)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Waits for the end of a container that an earlier owner started, and returns how it ended; removes it if it
        was never started. Returns None if it does not exist.
        """
        found = self.containers.get(container)
        if found is None:
            return None
        if found.started is None:
            self.on.remove(container)
            return ContainerExit(None, never_started=True)
        ended = self._wait(container, run, watch)
        self.on.remove(container)
        return ended

    def _create(self, run: Run, watch: Watch) -> FakeContainer:
        self.on.answer()
        if self.images is not None and run.image not in self.images:
            raise ReleaseGone(f"the image {run.image} of {run.app} is no longer on this engine")
        with self._lock:
            for each in [each for each in self.containers.values() if each.run.name == run.name]:
                if each.run.owner != run.owner:
                    raise Conflict(f"a container that is not of {run.owner} has the name {run.name}")
                if each.fence > watch.fence.token:
                    raise LeaseLost(f"a later owner of job {watch.fence.job} has made {run.name}")
                del self.containers[each.id]
            made = FakeContainer(f"c{next(self._numbers)}", run, watch.fence.token, time.monotonic())
            self.containers[made.id] = made
        return made

    def _does(self, run: Run) -> Does:
        return self.programs.get(run.argv or (), self.default)

    def _running(self, container: FakeContainer) -> bool:
        if container.started is None:
            return False
        return time.monotonic() < container.started + self._does(container.run).seconds

    def _wait(self, container: str, run: Run, watch: Watch) -> ContainerExit | None:
        started = self.containers[container].started
        assert started is not None
        does = self._does(run)
        allowed = run.seconds
        late = does.seconds > allowed
        until = started + min(does.seconds, allowed)
        while time.monotonic() < until:
            watch.stop.wait(max(0.0, min(0.05, until - time.monotonic())))
            if watch.stop.reason == "cancelled":
                if does.last_words:
                    watch.say(does.last_words)
                out = run.hidden.of_bytes(does.stdout) + does.last_words.encode()
                raise Stopped("cancelled", reason="cancelled", ended=ContainerExit(143, stdout=_kept(out)))
            watch.stop.check()
            if container not in self.containers:
                return None
        return _ended(run, does, late=late, took=until - started)


def _ended(run: Run, does: Does, *, late: bool, took: float) -> ContainerExit:
    told = f"{run.secrets[does.tells].reveal()}\n".encode() if does.tells else b""
    out = run.hidden.of_bytes(b"" if late else (run.stdin or b"") if does.echo else does.stdout + told)
    too_large = run.max_output is not None and len(out) > run.max_output
    killed = late or too_large or does.out_of_memory
    finished = datetime.now(UTC)
    return ContainerExit(
        137 if killed else does.exit_code,
        oom_killed=does.out_of_memory,
        timed_out=late,
        too_large=too_large,
        stdout=_kept(out) if run.max_output is None else _kept(out, run.max_output, 0),
        stderr=_kept(b"" if late else run.hidden.of_bytes(does.stderr + told)),
        started_at=finished - timedelta(seconds=took),
        finished_at=finished,
    )


def _kept(data: bytes, head: int = HEAD, tail: int = TAIL) -> Captured:
    rest = data[head:]
    end = rest[-tail:] if tail else b""
    return Captured(data[:head], end, len(rest) - len(end))
