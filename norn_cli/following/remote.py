"""Connects the user's terminal or pipe with a program on the server. The user's input goes to the program; its output
and exit code become those of the command.
"""

from __future__ import annotations

import base64
import os
import queue
import sys
import threading
import time
from contextlib import nullcontext, suppress
from typing import Any

from norn_cli.answers import Json
from norn_cli.client import Client
from norn_cli.display import terminal
from norn_cli.display.output import Output
from norn_cli.errors import CliError, JobFailed, Refused, Unreachable

_PIECE = 32 * 1024
_AGAIN = 0.5
"""Seconds until input is sent again after the server could not take it."""


class Remote:
    """The program of the job `job`, in a replica or as a one-off; `tty`: the program has a terminal."""

    def __init__(self, client: Client, output: Output, job: int, *, tty: bool, stdin: bool) -> None:
        self._client, self._output, self._job = client, output, job
        self._tty, self._stdin = tty, stdin
        self._typed: queue.SimpleQueue[Json] = queue.SimpleQueue()

    def to_its_end(self) -> int:
        """Returns the program's exit code; raises JobFailed if the program could not be run, or was stopped."""
        self._begin(self._send)
        if self._stdin:
            self._begin(self._read)
        else:
            self._typed.put({"eof": True})
        with terminal.handed_over(self._resized) if self._tty else nullcontext():
            return self._show()

    def _begin(self, work: Any) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _show(self) -> int:
        for piece in self._client.exec_output(self._job):
            if "exit" in piece:
                return int(piece["exit"])
            if "problem" in piece:
                problem = piece["problem"]
                raise JobFailed(problem["sentence"], hint=problem.get("hint") or f"norn jobs show {self._job}")
            self._print(piece)
        raise Unreachable("the server ended the stream, and with it the program", hint="norn health")

    def _print(self, piece: Json) -> None:
        for stream, data in piece.items():
            content = base64.b64decode(data)
            if self._tty:
                self._output.passed(content)
            else:
                self._output.raw(content, err=stream == "stderr")

    def _resized(self, size: terminal.Size) -> None:
        self._typed.put({"size": list(size)})

    def _read(self) -> None:
        """Reads the user's input, typed or piped, to its end."""
        stdin = sys.stdin.fileno()
        with suppress(OSError):
            while content := os.read(stdin, _PIECE):
                self._typed.put({"data": base64.b64encode(content).decode("ascii")})
                while self._typed.qsize() > 8:
                    time.sleep(0.01)
        self._typed.put({"eof": True})

    def _send(self) -> None:
        """Sends the input in order, until the program has ended."""
        seq = 0
        while True:
            typed, seq = self._typed.get(), seq + 1
            try:
                self._until_taken({**typed, "seq": seq})
            except CliError:
                return

    def _until_taken(self, typed: Json) -> None:
        while True:
            try:
                return self._client.exec_input(self._job, typed)
            except Refused as error:
                if not error.temporary:
                    raise
            time.sleep(_AGAIN)
