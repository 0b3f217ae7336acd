"""One container of a run, from its start to its end and removal. The engine may be unreachable for part of that
time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetDone
from contextlib import AbstractContextManager, closing
from datetime import datetime
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import EngineClient, moment, was_sent
from norn_tasks.adapters.docker.memory_events import ran_out_of_memory
from norn_tasks.adapters.runtimes import hardening
from norn_tasks.adapters.runtimes.client_streams import ClientStreams
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.kept_output import logged
from norn_tasks.adapters.runtimes.ownership import owned
from norn_tasks.adapters.runtimes.signals import ContainerSignals
from norn_tasks.adapters.runtimes.streams import Outputs, Streams, attach
from norn_tasks.domain.errors import EngineDown, NornError, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import Hooks, Run, Stop, Watch

State = dict[str, Any]

POLL_SECONDS = 0.25
_DOUBT = 1.0
"""If the container ends more than this many seconds after its output, the connection may have been cut."""

_LEAVING = 3.0
"""The engine ends its containers just before it stops itself. This is the most seconds between an unexplained signal
and that stop.
"""

SIGNALLED = (137, 143)
"""Exit codes of a program that was ended by SIGKILL or SIGTERM."""
_INFRASTRUCTURE = 125
_NOT_RUNNABLE = (126, 127)


class _NetworkWasMissing(Exception):
    """The network of runs was missing at the start, and is there again; nothing was started."""


class Container:
    """An existing container with the id `id`, in the hands of one owner (the worker that holds the run's job)."""

    def __init__(self, engine: EngineClient, container: str, run: Run, watch: Watch, *, begun: bool) -> None:
        self.id = container
        self._engine = engine
        self._run = run
        self._watch = watch
        self._begun = begun
        self._engine_left = False
        self._network_checked = False
        self._may_have_started = False
        self._signals = ContainerSignals(engine, container, watch.stop)

    def owned(self) -> AbstractContextManager[None]:
        """Returns a context manager. At the end of its block the container is removed, or left for the next owner."""
        return owned(self._run, self._watch, lambda: self._begun, self.discard)

    def live(self, hooks: Hooks) -> ContainerExit:
        """Records that the code begins, starts the container, writes its input, reads its output, and returns how it
        ended.
        """
        say = self._watch.say if self._run.max_output is None and self._run.client is None else None
        outputs = Outputs(self._run, say, self._watch.err)
        while True:
            try:
                attached = self._attached(outputs)
            except NotFound as error:
                if not self._begun:
                    raise
                return ContainerExit(None, stderr=_as_stderr(error))
            with closing(attached) as streams:
                if not self._begun:
                    hooks.begun()
                    self._begun = True
                    # If this worker was frozen here, it now notices that its lease is too old, and starts nothing.
                    self._stop.check()
                try:
                    refused = self._start()
                except _NetworkWasMissing:
                    continue  # the failed start has ended its streams
                if refused is not None:
                    return refused
                deadline = Deadline(self._run.seconds, self._run.grace)
                self._follow(streams, outputs, deadline)
            silent = time.monotonic()
            state = self.await_end(deadline, lambda: outputs)
            if state is None or moment(state["StartedAt"]) is not None:
                return self.ended(state, self._truest(outputs, time.monotonic() - silent), deadline)
            # The engine became unreachable before it confirmed the start, and now answers again. The start is not
            # repeated if part of stdin may have been read, or if the request was sent: an engine that is killed just
            # after a start reports that the container never started.
            if self._run.reads or self._may_have_started:
                return ContainerExit(None, interrupted=self._may_have_started)

    def look(self) -> State | None:
        """Returns the state of the container as the engine reports it; None if the container no longer exists."""
        try:
            state: State = self._engine.patiently(lambda client: client.inspect_container(self.id), self._stop)["State"]
        except NotFound:
            return None
        return state

    def await_end(self, deadline: Deadline, outputs: Callable[[], Outputs]) -> State | None:
        """Waits for the container's end, and enforces its deadline. Returns the container's state; None if it no longer
        exists.

        Raises Stopped if the job's cancellation ended the container; the error's attribute `ended` has the output until
        then.
        """
        while True:
            self._until_exit(deadline)
            state = self.look()
            if state is None or not state["Running"]:
                self._signals.settle(deadline)
                if deadline.cancelled:
                    ended = self.ended(state, outputs(), deadline)
                    raise Stopped("the run was stopped: cancelled", reason="cancelled", ended=ended)
                return state

    def ended(self, state: State | None, outputs: Outputs, deadline: Deadline) -> ContainerExit:
        """Returns the exit of a container that has ended with this state and output."""
        code = int(state["ExitCode"]) if state is not None else None
        stdout, stderr = outputs.captured()
        started, finished = _times(state)
        # The engine sets `OOMKilled` even if only a child process ran out of memory, and the run continued and
        # succeeded.
        oom_killed = (
            state is not None and code != 0 and (bool(state["OOMKilled"]) or self._lacked_memory(code, started))
        )
        return ContainerExit(
            code,
            oom_killed=oom_killed,
            timed_out=deadline.passed,
            too_large=outputs.too_large,
            interrupted=code in SIGNALLED
            and not (oom_killed or self._signals.last or deadline.passed)
            and self._engine_is_going_away(),
            stdout=stdout,
            stderr=stderr,
            # The engine records the start of a very short run a moment after its end (observed: 0.5 ms).
            started_at=min(started, finished) if started and finished else started,
            finished_at=finished,
        )

    def _lacked_memory(self, code: int | None, started: datetime | None) -> bool:
        """Returns True if a SIGKILL that Norn did not send was for lack of memory, although `OOMKilled` is not set."""
        if started is None or code != SIGNALLED[0] or self._signals.last or self._engine_left:
            return False
        return ran_out_of_memory(self._engine, self.id, started)

    def logged(self) -> Outputs:
        """Returns the run's output as far as the engine's log contains it."""
        return logged(self._engine, self.id, self._run, self._stop)

    def discard(self) -> bool:
        """Ends and removes the container; returns False if that fails. The removal of orphans will then find the
        container later.
        """
        try:
            self._engine.take_away(self.id, within=10)
        except (EngineDown, StepFailed):
            return False
        return True

    @property
    def _stop(self) -> Stop:
        return self._watch.stop

    def _attached(self, outputs: Outputs) -> Streams | ClientStreams:
        run = self._run
        connection = self._engine.patiently(lambda client: attach(client, self.id, stdin=run.reads), self._stop)
        if run.client is not None:
            return ClientStreams(connection, run.client, outputs, self._resize)
        streams = Streams(connection, run.stdin, outputs)
        streams.prefeed()
        return streams

    def _resize(self, size: tuple[int, int]) -> None:
        if self._run.tty:
            rows, columns = size
            self._engine.briefly(lambda client: client.resize(self.id, height=rows, width=columns))

    def _start(self) -> ContainerExit | None:
        """Starts the container; returns an exit if it cannot be started."""
        try:
            self._started()
        except EngineDown as error:
            self._may_have_started = was_sent(error)
            return None
        except NotFound as error:
            return ContainerExit(None, stderr=_as_stderr(error))
        except StepFailed as error:
            state = self.look()
            code = int(state["ExitCode"]) if state is not None else _INFRASTRUCTURE
            return ContainerExit(code if code in _NOT_RUNNABLE else _INFRASTRUCTURE, stderr=_as_stderr(error))
        return None

    def _started(self) -> None:
        def start(client: APIClient) -> None:
            client.start(self.id)

        try:
            self._engine.promptly(start, self._stop)
        except NotFound:
            if self._network_checked:
                raise
            # Either the container or its network was removed (for example by a prune). If only the network is missing,
            # the container can start when the network exists again.
            self._network_checked = True
            networks.ensure(self._engine, hardening.NETWORK, talk=False)
            raise _NetworkWasMissing from None

    def _follow(self, streams: Streams | ClientStreams, outputs: Outputs, deadline: Deadline) -> None:
        while streams.read(POLL_SECONDS):
            if outputs.too_large:
                deadline.at_once()
            self._signals.heed(deadline)

    def _until_exit(self, deadline: Deadline) -> None:
        """Waits once for the container's end; returns early if the engine becomes unreachable or the call times out."""
        exit_ = self._engine.begin(lambda client: client.wait(self.id))
        while True:
            try:
                exit_.result(POLL_SECONDS)
            except NotYetDone:
                self._signals.heed(deadline)
                continue
            except EngineDown:
                self._engine_left = True
                return
            except NornError:
                return
            return

    def _engine_is_going_away(self) -> bool:
        """Returns True if the engine is unreachable or is about to stop; for a synchronous call, it does not wait to
        find out.
        """
        until = time.monotonic() + (_LEAVING if self._run.logged else 0)
        while not self._engine_left and time.monotonic() < until:
            try:
                self._engine.begin(lambda client: client.ping()).result(_LEAVING)
            except NotYetDone:
                break
            except EngineDown:
                self._engine_left = True
            self._stop.wait(POLL_SECONDS)
        return self._engine_left

    def _truest(self, outputs: Outputs, silence: float) -> Outputs:
        """Returns the output from the engine's log if the connection may have been cut before the end."""
        if silence < _DOUBT or not self._run.logged:
            return outputs
        from_log = self.logged()
        return from_log if from_log.size > outputs.size else outputs


def _as_stderr(error: NornError) -> Captured:
    return Captured(head=f"{error.facts.get('said', error.sentence)}\n".encode())


def _times(state: State | None) -> tuple[datetime | None, datetime | None]:
    """Returns when the container started and ended, as far as the engine reports that."""
    return (moment(state["StartedAt"]), moment(state["FinishedAt"])) if state is not None else (None, None)
