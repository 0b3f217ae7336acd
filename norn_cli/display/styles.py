"""Colours by their meaning, and the words for states that are printed in a colour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from norn_cli.display.text import RESET, clean


class Style(StrEnum):
    """A colour by its meaning; the value is its number in an escape sequence of the terminal (SGR)."""

    GOOD = "32"
    BAD = "31"
    CARE = "33"
    FAINT = "2"
    STRONG = "1"


_STYLES = {
    Style.GOOD: "ok running succeeded deployed forged ready scheduled fired caught_up live up delivered",
    Style.BAD: "fail failed down broken missing dead error forge_failed timed_out oom_killed missed failed_to_start "
    "crash-looping out-of-memory deploy-failed backup-failed drill-failed certificate-ends disk-full scheduler-away "
    "runs-failing runs-missed image-gone schedule-unreadable given-up",
    Style.CARE: "warn unhealthy degraded paused cancelled superseded expired forging tearing_down needs_attention "
    "queued pending skipped_overlap skipped_paused rolled_back paused-long drifted layer-large waiting",
}
_STYLE_OF = {word: style for style, words in _STYLES.items() for word in words.split()}


@dataclass(frozen=True)
class Styled:
    """A piece of a line in one style."""

    text: str
    style: Style


@dataclass(frozen=True)
class Bar:
    """A cell of a table whose pieces each have a style of their own."""

    parts: tuple[Styled, ...]

    def __str__(self) -> str:
        """Returns the cell without its styles."""
        return "".join(part.text for part in self.parts)


def by_word(text: str) -> str | Styled:
    """Returns the name of a known state in the style of its meaning, and any other text unchanged."""
    style = _STYLE_OF.get(text)
    return Styled(text, style) if style else text


def painted(part: Styled, colour: bool) -> str:
    """Returns a piece of a line for the terminal, with the codes of its style if `colour` is true."""
    text = clean(part.text)
    return f"\x1b[{part.style}m{text}{RESET}" if colour else text


_RICH = {Style.GOOD: "green", Style.BAD: "red", Style.CARE: "yellow", Style.STRONG: "bold", Style.FAINT: ""}


def pieces(cell: str | Bar, colour: bool) -> list[tuple[str, str]]:
    """Returns the parts of a cell, each with the name of its colour in rich, the library that lays out the tables."""
    if isinstance(cell, Bar):
        return [(clean(part.text), _RICH[part.style] if colour else "") for part in cell.parts]
    return [(cell, _RICH[_STYLE_OF.get(cell, Style.FAINT)] if colour else "")]
