"""Follows a one-off command: prints its output as it is written, on the same stream, and then returns its record."""

from __future__ import annotations

import time

from norn_cli.answers import OPEN_RUN, Json
from norn_cli.client import Client
from norn_cli.display.output import Output
from norn_cli.errors import CliError, Detached, Refused, Unreachable
from norn_cli.following.follow import AWAY_SECONDS


class OneOffRun:
    """A one-off command that was accepted; with `quiet`, its output is not printed."""

    def __init__(self, client: Client, output: Output, accepted: Json, *, quiet: bool) -> None:
        self._client, self._output, self._quiet = client, output, quiet
        self._job, self._execution = int(accepted["job"]), int(accepted["execution"])
        self._seq = 0
        self._shown = {"stdout": 0, "stderr": 0}

    def to_its_end(self) -> Json:
        """Prints its output and returns its record. Raises Detached if the user presses Ctrl-C, and Unreachable if the
        server refuses, or does not respond for a minute.
        """
        away_since: float | None = None
        while True:
            try:
                self._follow()
                record = self._client.oneoff(self._execution)
                if record["state"] not in OPEN_RUN:
                    return self._whole(record)
                away_since = None
            except (Unreachable, Refused) as error:
                away_since = away_since or time.monotonic()
                passing = isinstance(error, Unreachable) or error.temporary
                if not passing or time.monotonic() - away_since > AWAY_SECONDS:
                    raise self._left(error) from error
            except KeyboardInterrupt:
                raise Detached(f"detached; job {self._job} goes on", hint=self._ways_back()) from None
            time.sleep(0.5)

    def _follow(self) -> None:
        for piece in self._client.job_log_pieces(self._job):
            if piece["seq"] > self._seq:
                self._seq = piece["seq"]
                self._show(str(piece.get("stream", "stdout")), str(piece["text"]))

    def _show(self, stream: str, text: str) -> None:
        self._shown[stream] += len(text)
        if not self._quiet:
            self._output.raw(text.encode("utf-8", "replace"), err=stream == "stderr")

    def _whole(self, record: Json) -> Json:
        """Returns the record. If the stream ended early because a worker died, and the record holds the complete
        output, the rest of the output is printed first.
        """
        for stream, shown in self._shown.items():
            if not record[f"{stream}_dropped"] and len(record[stream]) > shown:
                self._show(stream, record[stream][shown:])
        return record

    def _left(self, error: CliError) -> CliError:
        return Unreachable(f"{error.sentence}; job {self._job} goes on without it", hint=self._ways_back())

    def _ways_back(self) -> str:
        return f"norn runs show {self._execution} shows it, norn jobs cancel {self._job} ends it"
