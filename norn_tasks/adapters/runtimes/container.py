"""One container of a run, from its start to its end and removal, with an engine that may go away in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetDone
from contextlib import closing, contextmanager
from typing import Any

from docker import APIClient

from norn_tasks.adapters import networks, patience
from norn_tasks.adapters.engine import Engine, moment
from norn_tasks.adapters.frames import STDERR, STDOUT
from norn_tasks.adapters.runtimes import hardening
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.streams import Outputs, Streams, attach
from norn_tasks.domain.errors import Conflict, EngineDown, NornError, NotFound, StepFailed, Stopped
from norn_tasks.domain.execution import Captured, Ended
from norn_tasks.ports import Hooks, Run, Stop, Watch

State = dict[str, Any]

_LOOK = 0.25
_DOUBT = 1.0
"""A container that ends later than this after its output may have outlived the connection: its log is read instead."""

_LEAVING = 3.0
"""Seconds after an unexplained signal for an engine that is being stopped to be gone: it ends its containers first."""

_SIGNALLED = (137, 143)
_HANDED_ON = ("draining", "lease_lost")
"""Who stops for these leaves a run that has begun to the next owner, who may have adopted it already."""
_INFRASTRUCTURE = 125
_NOT_RUNNABLE = (126, 127)


class Container:
    """A container that exists on the engine under `id`, for one run of one owner."""

    def __init__(self, engine: Engine, container: str, run: Run, watch: Watch, *, begun: bool) -> None:
        self.id = container
        self._engine = engine
        self._run = run
        self._watch = watch
        self._begun = begun
        self._signal = ""
        self._engine_left = False
        self._signalling: Future[None] | None = None

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Sees that the container is gone when its owner is done with it, or left as it is for the next owner."""
        kept = False
        try:
            yield
        except Stopped:
            kept = self._begun and self._run.logged and self._watch.stop.reason in _HANDED_ON
            raise
        finally:
            # A cancelled job has ended when the engine says that its container is gone, and not before.
            while not kept and not self.discard() and self._watch.stop.reason == "cancelled":
                time.sleep(_DOUBT)

    def live(self, hooks: Hooks) -> Ended:
        """Begins, starts, feeds and reads it, and answers its end."""
        say = self._watch.say if self._run.max_output is None else None
        outputs = Outputs(self._run, say, self._watch.err)
        while True:
            with closing(self._attached(outputs)) as streams:
                if not self._begun:
                    hooks.begun()
                    self._begun = True
                    # Whoever was frozen here finds the lease too old, and lets nothing go.
                    self._stop.check()
                refused = self._start()
                if refused is not None:
                    return refused
                deadline = Deadline(self._run.seconds, self._run.grace)
                self._follow(streams, outputs, deadline)
            silent = time.monotonic()
            state = self.await_end(deadline)
            if state is None or moment(state["StartedAt"]) is not None:
                return self.ended(state, self._truest(outputs, time.monotonic() - silent), deadline)
            # The engine went away before it had started it, and is back. What it had taken of stdin then is not known.
            if self._run.stdin is not None:
                return Ended(None)

    def look(self) -> State | None:
        """Answers what the engine says of it; None when it is gone."""
        try:
            state: State = self._engine.patiently(lambda client: client.inspect_container(self.id), self._stop)["State"]
        except NotFound:
            return None
        return state

    def await_end(self, deadline: Deadline) -> State | None:
        """Waits until the engine says that it has ended, and sees to its deadline meanwhile; None when it is gone."""
        while True:
            self._until_exit(deadline)
            state = self.look()
            if state is None or not state["Running"]:
                self._settle(deadline)
                return state

    def ended(self, state: State | None, outputs: Outputs, deadline: Deadline) -> Ended:
        """Puts together how it ended."""
        code = int(state["ExitCode"]) if state is not None else None
        stdout, stderr = outputs.captured()
        started = moment(state["StartedAt"]) if state is not None else None
        finished = moment(state["FinishedAt"]) if state is not None else None
        # The engine marks it as well when a child ran out of memory and the run went on and ended well.
        oom_killed = state is not None and bool(state["OOMKilled"]) and code != 0
        return Ended(
            code,
            oom_killed=oom_killed,
            timed_out=deadline.passed,
            too_large=outputs.too_large,
            interrupted=code in _SIGNALLED and not (oom_killed or self._signal) and self._left_alone(),
            stdout=stdout,
            stderr=stderr,
            # The engine notes the start of a very short run a moment after its end (seen: 0.5 ms).
            started_at=min(started, finished) if started and finished else started,
            finished_at=finished,
        )

    def logged(self) -> Outputs:
        """Answers what the engine's log has of its output."""
        if not self._run.logged:
            return Outputs(self._run)
        try:
            return self._engine.patiently(self._read_log, self._stop)
        except (NotFound, StepFailed):
            return Outputs(self._run)

    def discard(self) -> bool:
        """Ends and removes it; False: an engine that does not answer keeps it, for the reaper to find by its owner."""
        try:
            self._engine.take_away(self.id, within=10)
        except (EngineDown, StepFailed):
            return False
        return True

    @property
    def _stop(self) -> Stop:
        return self._watch.stop

    def _attached(self, outputs: Outputs) -> Streams:
        stdin = self._run.stdin
        connection = self._engine.patiently(lambda client: attach(client, self.id, stdin=stdin is not None), self._stop)
        streams = Streams(connection, stdin, outputs)
        streams.prefeed()
        return streams

    def _start(self) -> Ended | None:
        """Lets it go; answers an end at once when it cannot be started."""
        try:
            self._started()
        except EngineDown:
            # Whether it was started, the engine will say when it is back.
            return None
        except NotFound as error:
            return Ended(None, stderr=_told(error))
        except StepFailed as error:
            state = self.look()
            code = int(state["ExitCode"]) if state is not None else _INFRASTRUCTURE
            return Ended(code if code in _NOT_RUNNABLE else _INFRASTRUCTURE, stderr=_told(error))
        return None

    def _started(self) -> None:
        def start(client: APIClient) -> None:
            client.start(self.id)

        try:
            self._engine.promptly(start, self._stop)
        except NotFound:
            # Either it was taken away, or its network was: then it starts when that is there again.
            networks.ensure(self._engine, hardening.NETWORK, talk=False)
            self._engine.promptly(start, self._stop)

    def _follow(self, streams: Streams, outputs: Outputs, deadline: Deadline) -> None:
        while streams.read(_LOOK):
            self._stop.check()
            if outputs.too_large:
                deadline.at_once()
            self._enforce(deadline)

    def _enforce(self, deadline: Deadline) -> None:
        """Sends the signal that is due, without waiting for the answer.

        The engine answers a SIGKILL when the container has ended, and it ends when its last output was read: by us.
        """
        if self._signalling is not None and not self._signalling.done():
            return
        self._settle(deadline)
        signal = deadline.due()
        if signal is not None:
            self._signal = signal
            self._signalling = self._engine.begin(lambda client: client.kill(self.id, signal))

    def _settle(self, deadline: Deadline) -> None:
        """Notes whether the last signal reached the container; one that did not is sent again while it is due."""
        if self._signalling is None:
            return
        try:
            patience.wait(self._signalling, self._stop)
            deadline.sent(self._signal)
        except (NotFound, Conflict, StepFailed, EngineDown):
            # It has ended by itself, or the engine is away.
            return
        finally:
            self._signalling = None

    def _until_exit(self, deadline: Deadline) -> None:
        """Waits for one answer to the question whether it has ended; the engine, or the time, may cut that short."""
        exit_ = self._engine.begin(lambda client: client.wait(self.id))
        while True:
            try:
                exit_.result(_LOOK)
            except NotYetDone:
                self._stop.check()
                self._enforce(deadline)
                continue
            except EngineDown:
                self._engine_left = True
                return
            except NornError:
                return
            return

    def _left_alone(self) -> bool:
        """True when the engine went away while it ran, or goes now; who waits for an answer is not kept for that."""
        until = time.monotonic() + (_LEAVING if self._run.logged else 0)
        while not self._engine_left and time.monotonic() < until:
            try:
                self._engine.begin(lambda client: client.ping()).result(_LEAVING)
            except NotYetDone:
                break
            except EngineDown:
                self._engine_left = True
            self._stop.wait(_LOOK)
        return self._engine_left

    def _truest(self, outputs: Outputs, silence: float) -> Outputs:
        """Answers the output from the log if the connection may have been cut before the end."""
        if silence < _DOUBT or not self._run.logged:
            return outputs
        logged = self.logged()
        return logged if logged.size > outputs.size else outputs

    def _read_log(self, client: APIClient) -> Outputs:
        outputs = Outputs(self._run)
        for stream in (STDOUT, STDERR):
            for piece in client.logs(
                self.id, stdout=stream == STDOUT, stderr=stream == STDERR, stream=True, follow=False
            ):
                outputs.feed(stream, piece)
        return outputs


def _told(error: NornError) -> Captured:
    return Captured(head=f"{error.facts.get('said', error.sentence)}\n".encode())
