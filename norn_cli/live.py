"""The step view: a job's steps as they end, and on a terminal one painted line that says what is going on now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any

from norn_cli.output import Output, Style, Styled
from norn_cli.text import clip, one_line
from norn_cli.times import duration

Json = dict[str, Any]

_MARKS = {
    "succeeded": Styled("✔ ", Style.GOOD),
    "skipped": Styled("– ", Style.FAINT),
    "noted": Styled("! ", Style.CARE),
    "failed": Styled("✘ ", Style.BAD),
}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class StepView:
    """Shows one job on stderr; `verbose` prints every line of the steps, else the terminal shows the last one.

    `tail` answers the last lines that a step wrote: they stand below a step that failed.
    """

    def __init__(self, output: Output, tail: Callable[[Json], Iterable[str]], *, verbose: bool) -> None:
        self._output, self._tail, self._verbose = output, tail, verbose
        self._turn = cycle(_SPINNER)
        self._told: set[tuple[object, ...]] = set()
        self._doing, self._since = "", time.monotonic()
        self._last_lines: dict[str, str] = {}

    def seen(self, job: Json) -> None:
        """Tells the steps that have ended since the last look, and keeps what is running."""
        if job.get("claims", 0) > 1:
            self._tell_once(("claims", job["claims"]), Styled("↻ ", Style.CARE), "another worker took it over")
        running = ""
        for step in job.get("steps") or []:
            if step["state"] in _MARKS:
                self._ended(step)
            elif step["state"] == "running":
                running = step["name"]
        self._now(running or ("queued, waiting for a worker" if job.get("state") == "queued" else ""))

    def wrote(self, step: str, line: str) -> None:
        """Takes a line that a step wrote."""
        if self._verbose:
            self.close()
            self._output.mutter(f"{step} │ {line}")
        elif line.strip():
            self._last_lines[step] = one_line(line)

    def away(self, sentence: str) -> None:
        """Says that the server does not answer, once for each time."""
        if not self._doing.startswith("waiting for the server"):
            self.close()
            self._output.say(Styled("… ", Style.CARE), sentence, "; trying again for a minute")
            self._now("waiting for the server")

    def tick(self) -> None:
        """Paints the line that says what is going on."""
        if self._output.live and self._doing:
            since = duration(time.monotonic() - self._since)
            text = f"{next(self._turn)} {self._doing} {since}  {self._last_lines.get(self._doing, '')}"
            self._output.paint(clip(text, self._output.columns - 1))

    def close(self) -> None:
        """Takes the painted line away."""
        if self._output.live:
            self._output.paint("")

    def _ended(self, step: Json) -> None:
        first = self._tell_once((step["n"], step["state"], step.get("attempts")), *step_line(step))
        if first and step["state"] == "failed" and not self._verbose:
            for line in self._tail(step):
                self._output.mutter(f"    {line}")

    def _now(self, doing: str) -> None:
        if doing != self._doing:
            self._doing, self._since = doing, time.monotonic()

    def _tell_once(self, key: tuple[object, ...], *parts: str | Styled) -> bool:
        if key in self._told:
            return False
        self._told.add(key)
        self.close()
        self._output.say(*parts)
        return True


def step_line(step: Json) -> Iterator[str | Styled]:
    """Answers an ended step as one line: `✔ build-image 41 s`, `– publish-image skipped: no registry`."""
    yield _MARKS[step["state"]]
    yield step["name"]
    if step["state"] == "skipped":
        yield Styled(" skipped", Style.FAINT)
    elif step.get("seconds") is not None:
        yield Styled(f" {duration(step['seconds'])}", Style.FAINT)
    error = step.get("error") or {}
    remark = step.get("note") or (error.get("sentence") if step["state"] == "noted" else "")
    if remark:
        yield Styled(f": {one_line(remark)}" if step["state"] == "skipped" else f"  {one_line(remark)}", Style.FAINT)
