"""Reads a `.env` file: `NAME=value` or `export NAME=value` lines, `#` comments, and quoted values of several lines.

Text in single quotes is literal. In double quotes `\\n` is a new line, `\\t` a tab, and a backslash before any other
letter is dropped. Nothing is expanded or run: `$HOME` stays as it is written.
"""

from __future__ import annotations

import re

from norn_cli.errors import Usage

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[^\s=#'"]+)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?!['"])[^\n]*?))
    [ \t]*(?:(?<=\s)\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parsed(text: str, file: str) -> dict[str, str]:
    """Returns the variables of a file, the last value of each; raises Usage with the line's number, not its text."""
    text, at, found = text.replace("\r\n", "\n"), 0, {}
    while at < len(text):
        line = _NOTHING.match(text, at) or _LINE.match(text, at)
        if line is None:
            number = text.count("\n", 0, at) + 1
            raise Usage(
                f"{file}:{number}: this is not NAME=value", hint="quote a value with spaces, quotes or several lines"
            )
        if line.re is _LINE:
            found[line["name"]] = _value(line)
        at = line.end()
    return found


def _value(line: re.Match[str]) -> str:
    if line["single"] is not None:
        return line["single"]
    if line["double"] is not None:
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), line["double"], flags=re.DOTALL)
    return line["plain"]
