"""A terminal that hides secrets: the output of a program in a replica passes through it on the way to the client."""

from __future__ import annotations

import threading

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.redaction import Redaction
from norn_tasks.ports import Stop, Terminal, Typed

ECHO_SECONDS = 0.1
"""The most seconds for which a terminal window holds back text that may begin a secret; a longer time would delay the
letters that a user types.
"""


class RedactedTerminal:
    """Implements `ports.Terminal` in front of another terminal. `window`: a user types there, letter by letter."""

    def __init__(self, terminal: Terminal, hidden: Redaction, *, window: bool) -> None:
        self._terminal, self._window = terminal, window
        self._redactors = {stream: hidden.stream() for stream in ("stdout", "stderr")}
        self._lock = threading.Lock()
        self._echo: threading.Timer | None = None

    @property
    def stop(self) -> Stop:
        """The stop that is set when the client has disconnected."""
        return self._terminal.stop

    def typed(self, seconds: float) -> Typed | None:
        """Waits at most `seconds` for the next input."""
        return self._terminal.typed(seconds)

    def wrote(self, stream: str, data: bytes) -> None:
        """Passes on the output, except an end that may be the beginning of a secret."""
        with self._lock:
            self._hand_on(stream, self._redactors[stream].feed(data))
            if self._window:
                self._echo_soon()

    def ended(self, exit_code: int) -> None:
        """Passes on the output that was held back, and then the exit code."""
        with self._lock:
            self._cancel_echo()
            self._rest()
            self._terminal.ended(exit_code)

    def _hand_on(self, stream: str, data: bytes) -> None:
        if data:
            self._terminal.wrote(stream, data)

    def _rest(self) -> None:
        for stream, redactor in self._redactors.items():
            self._hand_on(stream, redactor.end())

    def _echo_soon(self) -> None:
        self._cancel_echo()
        self._echo = threading.Timer(ECHO_SECONDS, self._echo_now)
        self._echo.daemon = True
        self._echo.start()

    def _cancel_echo(self) -> None:
        if self._echo is not None:
            self._echo.cancel()

    def _echo_now(self) -> None:
        with self._lock:
            try:
                self._rest()
            except Stopped:
                return  # no client reads any longer, and the program is being ended
