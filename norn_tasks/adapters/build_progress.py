"""Follows the output of `docker build`, of both builders: which stages it made, and where and why it failed."""

from __future__ import annotations

import re

from norn_tasks.adapters.lines import with_ends
from norn_tasks.ports import Say

_STEP = re.compile(r"Step (\d+)/\d+ : (.+)")
_MADE = re.compile(r" ---> ([0-9a-f]{12,64})")
_LONGEST = 200
_EXITED = re.compile(r"The command '.*' returned a non-zero code: (\d+)", re.DOTALL)
_LEGACY_NOTICE = re.compile(
    r"DEPRECATED: The legacy builder|\s+(BuildKit is currently disabled|environment-variable\.)"
)


_PLACE = re.compile(r"(^Dockerfile:|dockerfile parse error (?:on )?line |\(line (?=\d+\)$))(\d{1,6})")
_EXCERPT = re.compile(r"( *\d{1,6})( \|.*)", re.DOTALL)
_OF_A_STEP = re.compile(r"#\d+ (?!WARN: )")
"""How BuildKit marks what an instruction says, and the instruction."""


class BuildProgress:
    """Takes the lines of both streams, hands them on to `say`, and remembers what is needed afterwards.

    `head`: how many lines of ours stand before the app's own in what is built: they are not told, nor counted.
    """

    def __init__(self, say: Say, head: int = 0) -> None:
        self._say = with_ends(say)
        self._head = head
        self._step = ""
        self._reason = ""
        self._base: str | None = None
        self._last: str | None = None
        self._stages: list[str] = []

    def out(self, line: str) -> None:
        """Takes a line of stdout: of the classic builder, its steps and the images they made."""
        self._say(line)
        if step := _STEP.match(line):
            self._step = f"step {step[1]}, {step[2][:_LONGEST]}"
            if step[2].upper().startswith("FROM "):
                self._close_stage()
        elif made := _MADE.fullmatch(line):
            self._base = self._base or made[1]
            self._last = made[1]

    def err(self, line: str) -> None:
        """Takes a line of stderr: of BuildKit all, of the classic builder the reason why it failed."""
        if _LEGACY_NOTICE.match(line):
            return
        placed = line if _OF_A_STEP.match(line) else self._placed(line)
        if placed is not None:
            self._say(placed)
            self._reason = placed

    @property
    def stages(self) -> tuple[str, ...]:
        """The images that the finished stages were left as (the classic builder's; BuildKit leaves none)."""
        return tuple(self._stages)

    @property
    def failure(self) -> str:
        """Where and why it failed, as far as the builder told: what comes after "the build failed"."""
        reason = _EXITED.sub(r"it exited \1", self._reason) or "it gave no reason"
        return f" at {self._step}: {reason}" if self._step else f": {reason}"

    def _placed(self, line: str) -> str | None:
        """Answers a line with the numbers of lines as they are in the app's file; None for a line of ours."""
        excerpt = _EXCERPT.fullmatch(line)
        if excerpt is None:
            return _PLACE.sub(lambda found: f"{found[1]}{int(found[2]) - self._head}", line)
        number = int(excerpt[1]) - self._head
        return f"{number:{len(excerpt[1])}}{excerpt[2]}" if number > 0 else None

    def _close_stage(self) -> None:
        # A stage without a step of its own is its base, which is not ours.
        if self._last is not None and self._last != self._base and self._last not in self._stages:
            self._stages.append(self._last)
        self._base = self._last = None
