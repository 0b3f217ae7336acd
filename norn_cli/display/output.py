"""All printing: data to stdout as table, json, yaml or names; progress, notes and errors to stderr.

All text from a server is cleaned here. Norn's own colours are added afterwards, and only on a terminal.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from norn_cli.answers import Json
from norn_cli.display.text import RESET, clean, one_line
from norn_cli.errors import CliError


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Style(StrEnum):
    """A colour by its meaning; the value is its SGR parameter."""

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

# These control characters must not reach a terminal in JSON either; as escapes they mean the same to every parser.
_RAW_CONTROLS = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, and the function that returns a row's cell."""

    title: str
    cell: Callable[[Json], object]


Fact = tuple[str, object]


class Output:
    """The output of one command; `colour` is false if the user wants none."""

    def __init__(self, form: Format, *, colour: bool) -> None:
        self.form = form
        self._out, self._err = sys.stdout, sys.stderr
        self._out_colour = colour and self._out.isatty()
        self._err_colour = colour and self._err.isatty()
        self._over = False

    @property
    def live(self) -> bool:
        """True if progress can be repainted: stderr is a terminal."""
        return self._err.isatty()

    @property
    def for_people(self) -> bool:
        """True if data is printed as a table, so that remarks are welcome."""
        return self.form is Format.TABLE

    @property
    def columns(self) -> int:
        """The width of the terminal in columns."""
        return shutil.get_terminal_size().columns

    # Data

    def page(
        self,
        answer: Json,
        columns: Sequence[Column],
        name: str = "id",
        *,
        none: str = "none yet",
        order: Callable[[Json], int] | None = None,
    ) -> None:
        """Prints a list from the server; `name` is the field that identifies an item.

        An empty list prints `none`, in a table only. A table is sorted by `order`, the highest first.
        """
        items = answer.get("items", [])
        rows = sorted(items, key=order, reverse=True) if order else items
        if not items and self.for_people:
            self.say(none)
        self.data(answer, lambda: self.table(rows, columns), [str(item.get(name, "")) for item in items])

    def record(self, answer: Any, facts: Iterable[Fact], name: object) -> None:
        """Prints one object from the server, as labelled facts instead of a table; empty facts are left out."""
        self.data(answer, lambda: self.facts(facts), [str(name)])

    def data(self, answer: Any, table: Callable[[], None], names: Iterable[str]) -> None:
        """Prints data from the server in the format that was chosen."""
        if self.form is Format.TABLE:
            table()
        elif self.form is Format.NAME:
            for name in names:
                self.line(name)
        else:
            self._put(self._out, dumped(answer, self.form))

    def one(self, thing: Json, name: object = "") -> None:
        """Prints one object of a stream at once: a line of JSON, or a document of YAML."""
        if self.form is Format.NAME:
            self.line(str(name))
        elif self.form is Format.YAML:
            self._put(self._out, "---\n" + dumped(thing, self.form))
        else:
            self.line(json.dumps(thing))
        self.flush()

    def facts(self, facts: Iterable[Fact]) -> None:
        """Prints labelled values, one on each line."""
        shown = [(label, value) for label, value in facts if value not in (None, "", [])]
        pad = max((len(label) for label, _ in shown), default=0)
        for label, value in shown:
            text = one_line(value)
            self.line(Styled(label.ljust(pad), Style.FAINT), "  ", _by_word(text))

    def table(self, rows: Iterable[Json], columns: Sequence[Column]) -> None:
        """Prints rows below a line of titles; prints nothing if there are no rows."""
        cells = [[_cell(column.cell(row)) for column in columns] for row in rows]
        if cells:
            self._put(self._out, self._laid_out([column.title for column in columns], cells))

    def line(self, *parts: str | Styled) -> None:
        """Prints one line to stdout."""
        self._put(self._out, self._joined(parts, self._out_colour) + "\n")

    def stream(self, line: str) -> None:
        """Prints to stdout a line that an app wrote, with its colours on a terminal."""
        self._put(self._out, clean(line, colours=self._out_colour) + "\n")
        self._out.flush()

    def flush(self) -> None:
        """Flushes stdout."""
        self._out.flush()

    def raw(self, content: bytes, *, err: bool = False) -> None:
        """Prints bytes unchanged, but on a terminal as clean text."""
        to = self._err if err else self._out
        if to.isatty():
            colours = self._err_colour if err else self._out_colour
            self._put(to, clean(content.decode("utf-8", "replace"), colours=colours))
        else:
            to.flush()
            to.buffer.write(content)
        to.flush()

    def passed(self, content: bytes) -> None:
        """Prints bytes unchanged, on a terminal too: for an interactive program."""
        self._out.flush()
        self._out.buffer.write(content)
        self._out.flush()

    # Remarks

    def say(self, *parts: str | Styled) -> None:
        """Prints one line of progress to stderr."""
        self._put(self._err, self._joined(parts, self._err_colour) + "\n")

    def mutter(self, line: str) -> None:
        """Prints to stderr a line that an app wrote, with its colours on a terminal."""
        self._put(self._err, clean(line, colours=self._err_colour) + "\n")

    def paint(self, line: str) -> None:
        """Paints a line over the last painted one if stderr is a terminal; an empty line removes it."""
        if line or self._over:
            self._put(self._err, "\r\x1b[2K" + clean(line))
        self._over = bool(line)

    def ask(self, question: str) -> None:
        """Prints a question to stderr; the answer is typed after it."""
        self._put(self._err, clean(question))

    def hint(self, text: str) -> None:
        """Prints a hint about the next step to take, only if data is printed as a table."""
        if self.for_people:
            self.say(Styled("hint: ", Style.FAINT), text)

    def error(self, error: CliError) -> None:
        """Prints an error: a spec's mistakes line by line, else its sentence and stable code; then the hint."""
        for line in error.lines:
            self.say(line)
        if not error.lines:
            code = Styled(f" [{error.word}]" if error.word else "", Style.FAINT)
            self.say(Styled("error: ", Style.BAD), one_line(error.sentence), code)
        if error.hint and not error.lines:
            self.say(Styled("hint: ", Style.FAINT), one_line(error.hint))

    def note(self, left: CliError) -> None:
        """Prints the sentence and the hint of something that is not an error."""
        self.say(Styled("note: ", Style.CARE), one_line(left.sentence))
        if left.hint:
            self.say(Styled("hint: ", Style.FAINT), one_line(left.hint))

    # How

    def _joined(self, parts: Iterable[str | Styled], colour: bool) -> str:
        return "".join(_painted(part, colour) if isinstance(part, Styled) else clean(part) for part in parts)

    def _put(self, to: TextIO, text: str) -> None:
        to.write(text)
        if to is self._err:
            to.flush()

    def _laid_out(self, titles: list[str], cells: list[list[str | Bar]]) -> str:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim" if self._out_colour else "")
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in cells:
            table.add_row(*(Text.assemble(*_pieces(cell, self._out_colour)) for cell in row))
        width = self.columns if self._out.isatty() else 10_000
        console = Console(width=width, force_terminal=self._out_colour, no_color=not self._out_colour, highlight=False)
        with console.capture() as capture:
            console.print(table)
        return "".join(line.rstrip() + "\n" for line in capture.get().removesuffix("\n").split("\n"))


def dumped(answer: Any, form: Format) -> str:
    """Returns an object as JSON or YAML text that is safe to show."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    if form is Format.YAML:
        import yaml

        return str(yaml.safe_dump(answer, sort_keys=False, allow_unicode=not _RAW_CONTROLS.search(text)))
    return _RAW_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _cell(value: object) -> str | Bar:
    return value if isinstance(value, Bar) else one_line("" if value is None else value)


def _by_word(text: str) -> str | Styled:
    style = _STYLE_OF.get(text)
    return Styled(text, style) if style else text


def _painted(part: Styled, colour: bool) -> str:
    text = clean(part.text)
    return f"\x1b[{part.style}m{text}{RESET}" if colour else text


_RICH = {Style.GOOD: "green", Style.BAD: "red", Style.CARE: "yellow", Style.STRONG: "bold", Style.FAINT: ""}


def _pieces(cell: str | Bar, colour: bool) -> list[tuple[str, str]]:
    if isinstance(cell, Bar):
        return [(clean(part.text), _RICH[part.style] if colour else "") for part in cell.parts]
    return [(cell, _RICH[_STYLE_OF.get(cell, Style.FAINT)] if colour else "")]
