"""Finds the `norn …` commands that texts mention, and reports those that `norn` would not accept.

Nothing marks where a command ends and the sentence continues (`norn init writes one`). So the longest beginning that is
a valid command counts, and no option may follow it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import click

GAP = "\N{REPLACEMENT CHARACTER}"
"""Replaces the values that are inserted into a message."""

_NORN = re.compile(rf"(?<![\w./@+-])(`?)norn +(?=[a-z\[{GAP}-])")
_END = re.compile(r"[;`?()\n]|[,:.](?=\s|$)| (?=(?:or|and|\|)(?: |$))|$")
_WORD = re.compile(r"'[^']*'|\S+")
_PROSE = re.compile(r"(?:can|is|has|finds|itself|this|and|addresses)\b")
"""Words that follow `norn` where a sentence speaks of the program itself and names no command."""


@dataclass(frozen=True)
class Named:
    """The words after `norn` in a text. `quoted`: the words are between backticks, where a command may be named without
    its arguments.
    """

    line: str
    quoted: bool


def texts_of_source(source: str) -> Iterator[str]:
    """Yields every text of a module, also docstrings; inserted values become GAP."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield re.sub(r"\{\w*\}", GAP, node.value)


def texts_of_page(page: str) -> Iterator[str]:
    """Yields the code spans of a page, the rows of its tables, and the lines of its code blocks."""
    prose = ""
    for n, part in enumerate(re.split(r"^ *```.*$", page, flags=re.MULTILINE)):
        if n % 2:
            yield from (line.split("  #")[0] for line in part.splitlines())
        else:
            prose += part.replace(r"\|", "|")
    yield from (span.replace("\n", " ") for span in re.findall("`[^`]+`", prose))
    yield from re.findall(r"^\|.*$", re.sub("`[^`]+`", GAP, prose), re.MULTILINE)


def named(text: str) -> Iterator[Named]:
    """Yields each command that a text names."""
    for found in _NORN.finditer(text):
        rest = text[found.end() :]
        following = _NORN.search(rest)
        line = rest[: following.start() if following else len(rest)]
        end = _END.search(line)
        if end and not _PROSE.match(line):
            yield Named(line[: end.start()].strip(), quoted=bool(found[1]))


def refusal(root: click.Group, command: Named) -> str | None:
    """Returns why a named command cannot be typed; None if it can. `[A]` and `A|B` are tried in each variant."""
    words = _WORD.findall(re.sub(r"[\[\]]|\.\.\.|…", " ", command.line))
    choices = [[word[1:-1]] if word[0] == "'" else word.split("|") for word in words]
    tried = (_refusal(_Tree(root, command.quoted), list(each)) for each in product(*choices))
    return next((why for why in tried if why), None)


def _refusal(tree: _Tree, words: list[str]) -> str | None:
    why = tree.trouble(words)
    for length in reversed(range(len(words) if why else 0)):
        if tree.trouble(words[:length], more=True) is None:
            return why if any(re.match("--?[a-z]", word) for word in words[length:]) else None
    return why


@dataclass(frozen=True)
class _Tree:
    """The existing commands. `bare`: arguments may be missing."""

    root: click.Command
    bare: bool

    def trouble(self, words: list[str], *, more: bool = False) -> str | None:
        """Returns the mistake in a command line; None if there is none. `more`: the sentence continues after it."""
        command, context = self.root, click.Context(self.root, info_name=self.root.name)
        mine = words[: words.index("--")] if "--" in words else words
        try:
            given, left, order = command.make_parser(context).parse_args(list(mine))
            if any(param.is_eager for param in order):  # --help and --version ignore all other arguments
                return None
            if isinstance(command, click.Group):
                return self._within(command, context, left, more)
            for param in command.get_params(context):
                self._check(param, context, given.get(str(param.name)))
        except click.ClickException as error:
            return error.format_message()
        return f"{command.name} does not take {left[0]}" if left else None

    def _within(self, group: click.Group, context: click.Context, words: list[str], more: bool) -> str | None:
        if not words:
            return f"{group.name} alone ends here" if more else None
        inner = group.get_command(context, words[0])
        if inner is None:
            return None if words[0] == GAP else f"{group.name} has no command {words[0]}"
        return _Tree(inner, self.bare).trouble(words[1:], more=more)

    def _check(self, param: click.Parameter, context: click.Context, value: object) -> None:
        """Raises ClickException for a missing value, and for a complete value that is invalid."""
        values = [each for each in (value if isinstance(value, list | tuple) else [value]) if isinstance(each, str)]
        if isinstance(param, click.Argument) and param.required and not values and not self.bare:
            raise click.MissingParameter(ctx=context, param=param)
        for each in values:
            if GAP not in each and not each.isupper():
                param.type.convert(each, param, context)
