"""All printing: data to stdout as table, json, yaml or names; progress, notes and errors to stderr.

All text from a server is cleaned here. Norn's own colours are added afterwards, and only on a terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from norn_cli.answers import Json
from norn_cli.display.formats import Format, dumped
from norn_cli.display.styles import Bar, Style, Styled, by_word, painted, pieces
from norn_cli.display.text import clean, one_line
from norn_cli.errors import CliError


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

        In the format table, an empty list prints `none`. A table is sorted by `order`, the highest first.
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
        """Prints one object of a stream immediately: a line of JSON, or a document of YAML."""
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
            self.line(Styled(label.ljust(pad), Style.FAINT), "  ", by_word(text))

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

    # Remarks on stderr

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
        """Prints the sentence and the hint of an exception that is no error for the user, such as Detached."""
        self.say(Styled("note: ", Style.CARE), one_line(left.sentence))
        if left.hint:
            self.say(Styled("hint: ", Style.FAINT), one_line(left.hint))

    # How parts are printed

    def _joined(self, parts: Iterable[str | Styled], colour: bool) -> str:
        return "".join(painted(part, colour) if isinstance(part, Styled) else clean(part) for part in parts)

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
            table.add_row(*(Text.assemble(*pieces(cell, self._out_colour)) for cell in row))
        width = self.columns if self._out.isatty() else 10_000
        console = Console(width=width, force_terminal=self._out_colour, no_color=not self._out_colour, highlight=False)
        with console.capture() as capture:
            console.print(table)
        return "".join(line.rstrip() + "\n" for line in capture.get().removesuffix("\n").split("\n"))


def _cell(value: object) -> str | Bar:
    return value if isinstance(value, Bar) else one_line("" if value is None else value)
