"""One instance of a run, from its start to its end and removal. Incus may be unreachable for part of that time.

The state of the run is read from files that its init writes. The status that Incus reports is never enough, because it
changes back and forth around the end of an instance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetDone
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.incus import hardening
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.files import End, Files, Progress
from norn_tasks.adapters.incus.reading import OutputReading
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.ownership import owned
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import Conflict, EngineDown, NornError, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import Hooks, Run, Stop, Watch

T = TypeVar("T")

_SHORTEST, _LONGEST = 0.03, 0.5
"""The least and the most seconds between two checks of a run; between these bounds, the pause is a tenth of the time
since its start.
"""
_STUBBORN = 5.0
"""Seconds after SIGKILL until the instance itself is stopped."""
_LOOK, _SOON = 1.0, 0.3
"""Seconds between two checks of an instance that reports no progress, and before the first such check."""
_SURE = 2
"""How many checks in a row must find an instance stopped before it counts as stopped."""
_ADDRESSES = 100
"""How many addresses are tried for one instance, because another instance may have the address."""
_SIGNALLED = (137, 143)
_INFRASTRUCTURE = 125


class Instance:
    """An existing instance with the id `id`, in the hands of one owner (the worker that holds the run's job)."""

    def __init__(self, engine: IncusEngine, bridge: Bridge, name: str, run: Run, watch: Watch, *, begun: bool) -> None:
        self.id = name
        self.files = Files(engine.api, name)
        self._engine, self._bridge, self._run, self._watch = engine, bridge, run, watch
        self._begun = begun
        self._killed: float | None = None
        self._signalled = False
        self._looked, self._times_stopped = time.monotonic() + _SOON - _LOOK, 0

    def owned(self) -> AbstractContextManager[None]:
        """Returns a context manager. At the end of its block the instance is removed, or left for the next owner."""
        return owned(self._run, self._watch, lambda: self._begun, self._discarded)

    def live(self, hooks: Hooks) -> ContainerExit:
        """Records that the code begins, starts the instance, reads its output, and returns how it ended."""
        hooks.begun()
        self._begun = True
        # If this worker was frozen here, it now notices that its lease is too old, and starts nothing.
        self._stop.check()
        refused = self._started()
        if refused is not None:
            return refused
        say = self._watch.say if self._run.max_output is None else None
        return self.followed(Outputs(self._run, say, self._watch.err), Deadline(self._run.seconds, self._run.grace))

    def followed(self, outputs: Outputs, deadline: Deadline) -> ContainerExit:
        """Reads the run's output until its end, and enforces its deadline. Raises Stopped if the job's cancellation
        ended the run, and also, without waiting for the run's end, if the job is stopped for another reason.
        """
        reading, since = OutputReading(self.files, outputs, hardening.kept_head(self._run)), time.monotonic()
        while True:
            progress = self._until_answered(self.files.progress)
            more = self._read(reading, progress, outputs)
            if more is False and progress is not None and progress.end is not None:
                return self._ended(progress.end, outputs, deadline)
            if not more:
                cut_off = self._without_end(outputs, deadline) if self._may_be_gone() else None
                if cut_off is not None:
                    return cut_off
                self._stop_or_wait(min(_LONGEST, max(_SHORTEST, (time.monotonic() - since) / 10)))
            if outputs.too_large:
                deadline.at_once()
            if progress is None or progress.end is None:
                self._heed(deadline)

    def _read(self, reading: OutputReading, progress: Progress | None, outputs: Outputs) -> bool | None:
        """Reads new output. Returns True if there is more, False if there is no more, and None if Incus or the run has
        not answered.
        """
        if progress is None:
            return None
        return False if outputs.too_large else self._until_answered(partial(reading.take, progress))

    def _may_be_gone(self) -> bool:
        """Returns True when the state of the instance itself should be checked, which takes longer than reading its
        files.
        """
        due = time.monotonic() - self._looked > _LOOK
        if due or self._overdue():
            self._looked = time.monotonic()
        return due or self._overdue()

    @property
    def _stop(self) -> Stop:
        return self._watch.stop

    def _discarded(self) -> bool:
        try:
            self._engine.api.briefly(lambda: self._engine.take_away(self.id, within=10), 15)
        except (EngineDown, StepFailed):
            return False
        return True

    def _started(self) -> ContainerExit | None:
        """Starts the instance; returns an exit if that is impossible. Starting an instance twice does not begin the
        code twice.
        """
        for _ in range(_ADDRESSES):
            try:
                self._engine.api.promptly(self._start, self._stop)
            except EngineDown:
                self._stop.wait(1)
                self._stop.check()
                if self._engine.api.patiently(self.files.begun, self._stop) is not None:
                    return None
            except NotFound as error:
                return ContainerExit(None, stderr=_as_stderr(error))
            except Conflict as error:
                if not self._another_address(error):
                    return None  # it runs, or is being removed: its files will show which
            except StepFailed as error:
                return self._refused(error)
            else:
                return None
        return ContainerExit(
            _INFRASTRUCTURE, stderr=Captured(b"all addresses that were tried on the bridge are in use\n")
        )

    def _start(self) -> None:
        path = f"/1.0/instances/{self.id}/state"
        self._engine.api.change("PUT", path, {"action": "start", "timeout": -1})

    def _refused(self, error: StepFailed) -> ContainerExit | None:
        if "already running" in str(error.facts.get("said")):
            return None
        if self._engine.api.patiently(self.files.begun, self._stop) is not None:
            return None
        return ContainerExit(_INFRASTRUCTURE, stderr=_as_stderr(error))

    def _another_address(self, error: Conflict) -> bool:
        if "already defined" not in str(error.facts.get("said")):
            return False
        address = self._bridge.address()
        lines = hardening.lxc(address, self._bridge.gateway())
        interface = hardening.interface(self._bridge.name, address)
        change = {"config": {"raw.lxc": lines}, "devices": {"eth0": interface}}
        self._engine.api.promptly(
            lambda: self._engine.api.change("PATCH", f"/1.0/instances/{self.id}", change), self._stop
        )
        return True

    def _until_answered(self, call: Callable[[], T]) -> T | None:
        """Makes a call; returns None if Incus refuses it or is unreachable.

        Raises Stopped if the job was stopped for another reason than a cancellation. While Incus is unreachable, raises
        Stopped for a cancellation too.
        """
        future = timeouts.begin(call)
        while True:
            try:
                return future.result(0.25)
            except NotYetDone:
                self._handed_on()
            except (NotFound, StepFailed):
                return None
            except EngineDown:
                if self._stop.reason == "cancelled":
                    self._stop.check()
                self._stop.wait(1)
                return None

    def _briefly(self, call: Callable[[], T], seconds: float = 10) -> T:
        """Makes a call; raises EngineDown if it takes too long, and Stopped if the job was stopped for another reason
        than a cancellation.
        """
        return self._engine.api.briefly(call, seconds, self._handed_on)

    def _handed_on(self) -> None:
        if self._stop.reason != "cancelled":
            self._stop.check()

    def _stop_or_wait(self, seconds: float) -> None:
        if self._stop.reason == "cancelled":
            time.sleep(seconds)  # the stop is already set, so waiting on it would return immediately
        else:
            self._stop.wait(seconds)

    def _overdue(self) -> bool:
        """Returns True if SIGKILL has not ended the run in time, which means that its init no longer exists."""
        return self._killed is not None and time.monotonic() - self._killed > _STUBBORN

    def _without_end(self, outputs: Outputs, deadline: Deadline) -> ContainerExit | None:
        """Returns the end of an instance that no longer exists, or that somebody else stopped; None while it may
        continue.

        One status is not enough, because Incus reports an instance as Stopped for a moment while it starts or ends. So
        several checks in a row must find it stopped.
        """
        try:
            status = self._briefly(lambda: self._engine.api.get(f"/1.0/instances/{self.id}"))["status"]
            if self._overdue() and status != "Stopped":
                self._briefly(self._stopped_by_force, 30)
            self._times_stopped = self._times_stopped + 1 if status == "Stopped" else 0
            progress = self._briefly(self.files.progress)
            if self._times_stopped < _SURE or (progress is not None and progress.end is not None):
                return None
            return self._cut_off(outputs, deadline)
        except NotFound:
            return self._gone(outputs, deadline)
        except (EngineDown, StepFailed, Conflict):
            return None

    def _stopped_by_force(self) -> None:
        stop = {"action": "stop", "force": True, "timeout": -1}
        self._engine.api.change("PUT", f"/1.0/instances/{self.id}/state", stop)

    def _gone(self, outputs: Outputs, deadline: Deadline) -> ContainerExit:
        stdout, stderr = outputs.captured()
        return _unless_cancelled(ContainerExit(None, stdout=stdout, stderr=stderr), deadline)

    def _cut_off(self, outputs: Outputs, deadline: Deadline) -> ContainerExit | None:
        begun = self._briefly(self.files.begun)
        if begun is None:
            said = Captured(b"Incus started the instance without its first process\n")
            return ContainerExit(_INFRASTRUCTURE, stderr=said)
        return self._ended(End(137, False, not self._signalled, time.time()), outputs, deadline)

    def _heed(self, deadline: Deadline) -> None:
        """Sends the signal that is due. After a cancellation SIGTERM is due. Raises Stopped if the job was stopped for
        another reason.
        """
        if self._stop.reason == "cancelled":
            deadline.cancel()
        else:
            self._stop.check()
        signal = deadline.due()
        if signal is None:
            return
        try:
            self._briefly(lambda: self.files.write("kill" if signal == "SIGKILL" else "term"))
        except (NotFound, StepFailed, EngineDown):
            return  # it has ended by itself, or Incus is unreachable
        self._signalled = True
        self._killed = time.monotonic() if signal == "SIGKILL" else self._killed
        deadline.sent(signal)

    def _ended(self, end: End, outputs: Outputs, deadline: Deadline) -> ContainerExit:
        begun = self._until_answered(self.files.begun)
        stdout, stderr = outputs.captured()
        ended = ContainerExit(
            end.code,
            # The kernel's counter also includes a child process that was killed for lack of memory although the run
            # then succeeded.
            oom_killed=end.oom and end.code != 0,
            timed_out=deadline.passed,
            too_large=outputs.too_large,
            interrupted=end.halted and end.code in _SIGNALLED and not (end.oom or deadline.passed),
            stdout=stdout,
            stderr=stderr,
            started_at=_moment(begun),
            finished_at=_moment(end.at),
        )
        return _unless_cancelled(ended, deadline)


def _unless_cancelled(ended: ContainerExit, deadline: Deadline) -> ContainerExit:
    if deadline.cancelled:
        raise Stopped("the run was stopped: cancelled", reason="cancelled", ended=ended)
    return ended


def _moment(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


def _as_stderr(error: NornError) -> Captured:
    return Captured(head=f"{error.facts.get('said', error.sentence)}\n".encode())
