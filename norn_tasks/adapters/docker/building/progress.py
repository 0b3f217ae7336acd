"""Follows the output of `docker build`: the stages of the build, and where and why it failed. Reads the output of
BuildKit and of the classic builder.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from norn_tasks.adapters.processes.lines import with_ends
from norn_tasks.domain.causes import Cause, cause_of_build
from norn_tasks.ports import Say

_STEP = re.compile(r"Step (\d+)/(\d+) : (.+)")
_OUR_LABEL = "LABEL norn.io/stage"
_MADE = re.compile(r" ---> ([0-9a-f]{12,64})")
_LONGEST = 200
"""The most characters of a line that reports progress."""
_EXITED = re.compile(r"The command '.*' returned a non-zero code: (\d+)", re.DOTALL)
_OF_A_PROGRAM = re.compile(r"returned a non-zero code: \d+|did not complete successfully: exit code")
_MOST_LINES = 2000
"""The number of a step's last lines that are kept, so that the cause can be found if the step fails."""

_LEGACY_NOTICE = re.compile(
    r"DEPRECATED: The legacy builder|\s+(BuildKit is currently disabled|environment-variable\.)"
)


_PLACE = re.compile(r"(^Dockerfile:|dockerfile parse error (?:on )?line |\(line (?=\d+\)$))(\d{1,6})")
_EXCERPT = re.compile(r"( *\d{1,6})( \|.*)", re.DOTALL)
_OF_A_STEP = re.compile(r"#\d+ (?!WARN: )")
"""The beginning of a line in which BuildKit shows an instruction or its output."""


class BuildProgress:
    """Passes the lines of stdout and stderr on to `say`, and remembers stages, failures and causes.

    Norn adds lines to the Dockerfile that it builds; they are neither shown nor counted. `head`: how many lines it put
    before the app's first line. `added`: the numbers of the lines that it put between the app's lines.
    """

    def __init__(self, say: Say, head: int = 0, added: Sequence[int] = ()) -> None:
        self._say = with_ends(say)
        self._head = head
        self._added = added
        self._labels = 0
        self._step = ""
        self._reason = ""
        self._base: str | None = None
        self._last: str | None = None
        self._output: deque[str] = deque(maxlen=_MOST_LINES)
        self._stages: list[str] = []

    def out(self, line: str) -> None:
        """Reads a line of stdout, on which the classic builder reports its steps and their images."""
        if step := _STEP.match(line):
            self._begin_step(int(step[1]), int(step[2]), step[3])
            return
        self._say(line)
        self._output.append(line)
        if made := _MADE.fullmatch(line):
            self._base = self._base or made[1]
            self._last = made[1]

    def _begin_step(self, number: int, of: int, instruction: str) -> None:
        """Records a step under its number in the app's own Dockerfile, which does not count the lines that Norn
        added.
        """
        if instruction.startswith(_OUR_LABEL):
            self._labels += 1
            return
        self._output.clear()
        number -= self._labels
        self._say(f"Step {number}/{of - len(self._added)} : {instruction}")
        self._step = f"step {number}, {instruction[:_LONGEST]}"
        if instruction.upper().startswith("FROM "):
            self._close_stage()

    def err(self, line: str) -> None:
        """Reads a line of stderr. BuildKit writes all its output there; the classic builder writes there why it
        failed.
        """
        if _LEGACY_NOTICE.match(line):
            return
        placed = line if _OF_A_STEP.match(line) else self._placed(line)
        if placed is not None:
            self._say(placed)
            self._output.append(placed)
            self._reason = placed

    @property
    def stages(self) -> tuple[str, ...]:
        """The ids of the images that finished stages left behind. Only the classic builder leaves such images.

        The last stage comes first, because an image can only be removed after the images that were built on it.
        """
        return tuple(reversed(self._stages))

    @property
    def failure(self) -> str:
        """The words that follow "the build failed": where and why, as far as the builder reported that."""
        reason = _EXITED.sub(r"it exited \1", self._reason) or "it gave no reason"
        what = f" at {self._step}: {reason}" if self._step else f": {reason}"
        return f"{what}: {self.cause.text}" if self.cause else what

    @property
    def cause(self) -> Cause | None:
        """The cause that the output names, if a program that ran in the build failed; otherwise None."""
        return cause_of_build(self._output) if _OF_A_PROGRAM.search(self._reason) else None

    def _placed(self, line: str) -> str | None:
        """Returns a line of output with line numbers that fit the app's own Dockerfile; None if it shows a line that
        Norn added.
        """
        excerpt = _EXCERPT.fullmatch(line)
        if excerpt is None:
            return _PLACE.sub(lambda found: f"{found[1]}{self._own(int(found[2]))}", line)
        number = self._own(int(excerpt[1]))
        return f"{number:{len(excerpt[1])}}{excerpt[2]}" if number > 0 else None

    def _own(self, number: int) -> int:
        """Converts a line number of the Dockerfile that was built into a line number of the app's own Dockerfile."""
        return number - self._head - sum(added < number for added in self._added)

    def _close_stage(self) -> None:
        # A stage without instructions ends with the image of its base, which this build did not make.
        if self._last is not None and self._last != self._base and self._last not in self._stages:
            self._stages.append(self._last)
        self._base = self._last = None
