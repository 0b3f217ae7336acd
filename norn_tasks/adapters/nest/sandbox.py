"""A run's sandbox in the nest, from the side of its owner (the worker that holds the run's job): starts the sandbox,
writes its input, reads its output, and removes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from norn_tasks.adapters.docker.frames import STDERR, STDOUT
from norn_tasks.adapters.nest.door import Conversation, Door, refusal
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.ownership import owned
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import EngineDown, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.execution import Captured, ContainerExit
from norn_tasks.ports import Hooks, Run, Watch

_POLL_SECONDS = 0.25
_AWAY = 30.0
"""Seconds after which a cancelled run stops waiting for a nest that does not answer."""
_SIGNALLED = (137, 143)
_INFRASTRUCTURE = 125
_STREAMS = {"1": STDOUT, "2": STDERR}


class NestSandbox:
    """A sandbox that is reserved or started with the id `id`; `conversation` is its owner's connection to the nest."""

    def __init__(
        self, door: Door, conversation: Conversation, sandbox: str, run: Run, watch: Watch, *, begun: bool,
        away: float = _AWAY,
    ) -> None:  # fmt: skip
        self.id = sandbox
        self._door, self._conversation, self._run, self._watch = door, conversation, run, watch
        self._begun, self._ended = begun, False
        self._signal, self._away = "", away

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Removes the sandbox at the end of the block, or leaves it for the next owner."""
        # The wait for the nest is limited, because a removed nest never answers. If a nest only hangs, the removal of
        # orphaned containers ends the sandbox later.
        with (
            owned(self._run, self._watch, lambda: self._begun, self._discarded, patience=self._away),
            self._conversation,
        ):
            yield

    def live(self, hooks: Hooks) -> ContainerExit:
        """Records that the code begins, starts the sandbox, writes its input, reads its output, and returns how it
        ended.
        """
        say = self._watch.say if self._run.max_output is None and self._run.client is None else None
        outputs = Outputs(self._run, say, self._watch.err)
        hooks.begun()
        self._begun = True
        # If this worker was frozen here, it now notices that its lease is too old, and starts nothing.
        self._watch.stop.check()
        try:
            self._conversation.say(do="start")
        except EngineDown:
            return ContainerExit(None, interrupted=True)
        return self.follow(outputs, Deadline(self._run.seconds, self._run.grace))

    def adopted(self) -> ContainerExit:
        """Follows a sandbox that an earlier owner started; the timeout counts from that start."""
        return self.follow(Outputs(self._run), None)

    def follow(self, outputs: Outputs, deadline: Deadline | None) -> ContainerExit:
        """Reads the sandbox's output until its end, and sends the signals that are due; raises Stopped."""
        while True:
            try:
                self._heed(deadline)
                for kind, data in self._conversation.frames(_POLL_SECONDS):
                    if kind in _STREAMS:
                        outputs.feed(_STREAMS[kind], data)
                    elif kind == "k":
                        skipped = json.loads(data)
                        outputs.skip(skipped["stream"], skipped["count"])
                    elif kind == "s" and deadline is None:
                        age = time.time() - json.loads(data)["at"]
                        deadline = Deadline(self._run.timeout - age, self._run.grace)
                    elif kind in "ex":
                        return self._end(kind, json.loads(data), outputs, deadline)
            except EngineDown:
                # When the nest ends, all its sandboxes end. The nest also closes the connection if a later owner takes
                # over the run.
                self._watch.stop.check()
                stdout, stderr = outputs.captured()
                return ContainerExit(None, interrupted=True, stdout=stdout, stderr=stderr)
            if outputs.too_large and deadline is not None:
                deadline.at_once()

    def _heed(self, deadline: Deadline | None) -> None:
        """Sends the signal that is due. After a cancellation SIGTERM is due. Raises Stopped if the job was stopped for
        another reason.
        """
        if self._watch.stop.reason != "cancelled":
            self._watch.stop.check()
        if deadline is None:
            return
        if self._watch.stop.reason == "cancelled":
            deadline.cancel()
        signal = deadline.due()
        if signal is not None:
            self._conversation.say(do="kill", signal=signal)
            self._signal = signal
            deadline.sent(signal)

    def _end(self, kind: str, end: dict[str, Any], outputs: Outputs, deadline: Deadline | None) -> ContainerExit:
        self._ended = kind == "e"
        if kind == "x":
            error = refusal(end)
            return ContainerExit(None, stderr=_as_stderr(error.sentence))
        stdout, stderr = outputs.captured()
        said = str(end.get("said", ""))
        code, started, finished = end["code"], _moment(end.get("started")), _moment(end.get("finished"))
        oom_killed = bool(end.get("oom_kills")) and code != 0
        timed_out = deadline is not None and deadline.passed
        if started is not None and finished is not None and code in _SIGNALLED and not self._signal and not oom_killed:
            # An earlier owner sent the signal, and died before it saw the run end.
            timed_out = timed_out or (finished - started).total_seconds() >= self._run.timeout
        ended = ContainerExit(
            code, oom_killed=oom_killed, timed_out=timed_out, too_large=outputs.too_large, stdout=stdout,
            stderr=stderr if not said else _as_stderr(said), started_at=started, finished_at=finished,
        )  # fmt: skip
        if deadline is not None and deadline.cancelled:
            raise Stopped("the run was stopped: cancelled", reason="cancelled", ended=ended)
        return ended

    def _discarded(self) -> bool:
        if self._ended and not self._run.outlives_owner:
            return True  # if no later owner may take the sandbox, the nest itself deletes it when it ends
        try:
            self._door.ask(do="remove", id=self.id, fence=self._watch.fence.token)
        except (EngineDown, StepFailed, NotFound):
            return False
        return True


def _moment(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


def _as_stderr(said: str) -> Captured:
    return Captured(head=f"{said}\n".encode())
