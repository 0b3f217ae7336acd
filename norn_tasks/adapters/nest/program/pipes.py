"""The three streams of a sandbox: writes its input, and reads its output until its first process has ended."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

_CHUNK = 64 * 1024
STDOUT, STDERR = 1, 2


class Pipes:
    """Pipes to and from one sandbox."""

    def __init__(self) -> None:
        theirs, self._input = os.pipe()
        self._out, out = os.pipe()
        self._err, err = os.pipe()
        self.of_sandbox = (theirs, out, err)
        self._rest = memoryview(b"")
        for each in (self._input, self._out, self._err):
            os.set_blocking(each, False)

    def close_sandbox_ends(self) -> None:
        """Closes this process's copies of the sandbox's pipe ends, once the sandbox has its own."""
        for each in self.of_sandbox:
            os.close(each)

    def close(self) -> None:
        """Closes the remaining pipe ends, if the sandbox was not started."""
        for each in (self._input, self._out, self._err):
            os.close(each)

    def carry(self, process: int, stdin: bytes, wrote: Callable[[int, bytes], None]) -> None:
        """Writes the whole input and reads output, until the process to which the pidfd `process` refers has ended and
        everything was read.
        """
        self._rest = memoryview(stdin)
        streams = {self._out: STDOUT, self._err: STDERR}
        poll = select.poll()
        for each in (*streams, process):
            poll.register(each, select.POLLIN)
        poll.register(self._input, select.POLLOUT)
        feeding, running = self._feed(poll), True
        while running:
            for ready, _ in poll.poll():
                if ready == process:
                    running = False
                elif ready == self._input:
                    feeding = feeding and self._feed(poll)
                elif not self._pass(ready, streams[ready], wrote):
                    poll.unregister(ready)
                    os.close(ready)
                    del streams[ready]
        self._last(streams, wrote)
        if feeding:
            os.close(self._input)

    def _feed(self, poll: select.poll) -> bool:
        """Writes input; returns False when everything is written or the sandbox has closed its stdin."""
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._input, self._rest[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except OSError:
            self._rest = self._rest[:0]
        poll.unregister(self._input)
        os.close(self._input)
        return False

    def _pass(self, source: int, stream: int, wrote: Callable[[int, bytes], None]) -> bool:
        """Passes available output on; returns False at the end of the stream."""
        try:
            data = os.read(source, _CHUNK)
        except BlockingIOError:
            return True
        if data:
            wrote(stream, data)
        return bool(data)

    def _last(self, streams: dict[int, int], wrote: Callable[[int, bytes], None]) -> None:
        """Reads the rest of the output. All processes of the sandbox have ended, so no more output will come."""
        for source, stream in streams.items():
            os.set_blocking(source, True)
            while self._pass(source, stream, wrote):
                continue
            os.close(source)
