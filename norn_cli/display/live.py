"""Shows the steps of a job: a line for each step that has ended, and one for the current step.

On a terminal the current step is one repainted line. Elsewhere a step is named after it has run for a second, and again
every 30 seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle

from norn_cli.answers import Json
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.display.text import clip, one_line
from norn_cli.display.times import duration

_MARKS = {
    "succeeded": Styled("✔ ", Style.GOOD),
    "skipped": Styled("– ", Style.FAINT),
    "noted": Styled("! ", Style.CARE),
    "failed": Styled("✘ ", Style.BAD),
}
EVERY = 30.0
"""Seconds after which a running step is printed again if no line can be repainted."""
MOMENT = 1.0
"""Seconds after which a running step is printed for the first time if no line can be repainted."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class StepLine:
    """Prints the progress of one job to stderr; with `verbose` every line of the steps is printed, else a terminal
    shows the last line.

    `tail` returns the last lines that a step wrote; they are printed below a failed step. Skipped steps are printed
    only with `verbose`. Where no line can be repainted, `moment` is the time in seconds before the first line about a
    running step, and `every` the time between later lines.
    """

    def __init__(
        self,
        output: Output,
        tail: Callable[[Json], Iterable[str]],
        *,
        verbose: bool,
        every: float = EVERY,
        moment: float = MOMENT,
    ) -> None:
        self._output, self._tail, self._verbose, self._every, self._moment = output, tail, verbose, every, moment
        self._named: set[str] = set()
        self._printed = time.monotonic()
        self._turn = cycle(_SPINNER)
        self._shown_once: set[tuple[object, ...]] = set()
        self._doing, self._since, self._quiet = "", time.monotonic(), False
        self._last_lines: dict[str, str] = {}

    def seen(self, job: Json) -> None:
        """Prints the steps that have ended since the last call, and remembers the running one."""
        if job.get("claims", 0) > 1:
            self._print_once(("claims", job["claims"]), Styled("↻ ", Style.CARE), "another worker took it over")
        if job.get("state") == "queued":
            self._queued(job.get("waits"))
            return
        running = ""
        for step in job.get("steps") or []:
            if step["state"] in _MARKS:
                self._ended(step)
            elif step["state"] == "running":
                running = step["name"]
        self._now(running)

    def wrote(self, step: str, line: str) -> None:
        """Takes a line that a step wrote: prints it with `verbose`, else keeps it as the last line of the step."""
        if self._verbose:
            self.close()
            self._output.mutter(f"{step} │ {line}")
        elif line.strip():
            self._last_lines[step] = one_line(line)

    def away(self, sentence: str) -> None:
        """Prints that the server does not respond, once for each outage."""
        if not self._doing.startswith("waiting for the server"):
            self.close()
            self._output.say(Styled("… ", Style.CARE), sentence, "; trying again for a minute")
            self._now("waiting for the server", say=False)

    def tick(self) -> None:
        """Repaints the line with the current step; where that is not possible, prints it now and then."""
        now = time.monotonic()
        since = duration(now - self._since)
        if not self._output.live and self._doing:
            if not self._quiet and self._doing not in self._named:
                if now - self._since >= self._moment:
                    self._print_now(self._doing)
            elif now - self._printed >= self._every:
                self._print_now(f"{self._doing} {since}")
        if self._output.live and self._doing:
            text = f"{next(self._turn)} {self._doing} {since}  {self._last_lines.get(self._doing, '')}"
            self._output.paint(clip(text, self._output.columns - 1))

    def close(self) -> None:
        """Removes the line that was painted last."""
        if self._output.live:
            self._output.paint("")

    def _queued(self, waits: str | None) -> None:
        """Shows the reason why the job waits."""
        self._now(waits or "queued, waiting for a worker", say=False)
        if waits and waits not in self._named and not self._output.live:
            self._print_now(waits)

    def _ended(self, step: Json) -> None:
        if step["state"] == "skipped" and not self._verbose and step["name"] not in self._named:
            return
        first = self._print_once((step["n"], step["state"], step.get("attempts")), *step_line(step))
        if first and step["state"] == "failed" and not self._verbose:
            for line in self._tail(step):
                self._output.mutter(f"    {line}")

    def _now(self, doing: str, *, say: bool = True) -> None:
        if doing == self._doing:
            return
        self._doing, self._since, self._printed = doing, time.monotonic(), time.monotonic()
        self._quiet = not say

    def _print_now(self, text: str) -> None:
        self._named.add(self._doing)
        self._output.say(Styled("… ", Style.CARE), text)
        self._printed = time.monotonic()

    def _print_once(self, key: tuple[object, ...], *parts: str | Styled) -> bool:
        if key in self._shown_once:
            return False
        self._shown_once.add(key)
        self.close()
        self._output.say(*parts)
        return True


def step_line(step: Json) -> Iterator[str | Styled]:
    """Yields the parts of the line about a step that has ended: `✔ build-image 41 s`, `– publish-image skipped: no
    registry`.
    """
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
