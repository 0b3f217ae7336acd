"""A schedule's last occurrences as a bar: one character for each, newest on the right. The characters differ, so that
the bar can be read without colours too.
"""

from __future__ import annotations

from collections.abc import Iterable

from norn_cli.answers import Json
from norn_cli.display.styles import Bar, Style, Styled

LENGTH = 30
"""The number of occurrences in a bar."""

_ENDED = {
    "succeeded": (".", Style.GOOD),
    "pending": ("w", Style.CARE),
    "running": (">", Style.STRONG),
    "cancelled": ("-", Style.CARE),
}
_FAILED = ("x", Style.BAD)
_NOT_RUN = {
    "missed": ("m", Style.BAD),
    "failed_to_start": ("!", Style.BAD),
    "skipped_overlap": ("o", Style.CARE),
    "skipped_paused": ("p", Style.CARE),
}
LEGEND = ". well  x failed  > running  w waits  - cancelled  m missed  ! did not start  o overlap  p paused"


def bar(marks: Iterable[Json]) -> Bar:
    """Returns the bar of occurrences, which are given oldest first. A mark that stands for n occurrences gets n
    characters.
    """
    signs: list[Styled] = []
    for mark in marks:
        text, style = _NOT_RUN.get(str(mark.get("verdict"))) or _ENDED.get(str(mark.get("state")), _FAILED)
        signs += [Styled(text, style)] * min(mark.get("how_many") or 1, LENGTH)
    return Bar(tuple(signs[-LENGTH:]))
