"""The variables that a Dockerfile sets before its first FROM, and that FROM may use. They are replaced as a builder
would do it, or marked as unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from norn_tasks.adapters.dockerfile.instructions import Instruction
from norn_tasks.adapters.dockerfile.text import BLANKS
from norn_tasks.domain.errors import SourceError

UNREADABLE = "$"
"""The value of a variable whose real value only the builder knows; a name that contains it is refused."""

_LONGEST = 4096
"""The maximum length of a value; a longer one counts as unreadable. An ARG that uses the previous ARG twice doubles the
length.
"""

_VARIABLE = re.compile(r"\$(?:([0-9]+|[^\W\d]\w*)|\{(\w+)(?:(:?[-+])([^}$]*))?\})")
_PLAIN = re.compile(r"""([^"'\\`]*)|"([^"'\\`]*)"|'([^"'\\`$]*)'""")


class Arguments:
    """The values that the ARGs of a Dockerfile set, in order.

    `given`: the builder's own variables. `bare`: the value that an ARG without a value sets; None if such an ARG sets
    nothing.
    """

    def __init__(self, name: str, escape: str, given: Mapping[str, str], bare: str | None) -> None:
        self.name = name
        self._escape = escape
        self._bare = bare
        self._values = dict(given)
        self._may_be_over = self._over = False

    def take(self, each: Instruction) -> None:
        """Reads the next instruction; raises SourceError for an ARG whose name is not a plain word."""
        if each.word == "FROM":
            self._may_be_over = True
            self._over |= each.sure
        if each.word == "ARG" and not self._over:
            sure = each.sure and not self._may_be_over
            self._values |= {key: value if sure else UNREADABLE for key, value in self._set(each.rest)}

    def filled(self, text: str) -> str:
        """Returns a text with its variables replaced; a variable in a notation that Norn cannot read stays in
        the text.
        """
        return _filled(text, self._values)

    def _set(self, rest: str) -> Iterator[tuple[str, str]]:
        before, after = self._values, dict(self._values)
        for word in _words(rest, self._escape):
            key, given, text = word.partition("=")
            if not re.fullmatch(r"[\w.-]+", key):
                raise SourceError(
                    f"{self.name} has an ARG that Norn cannot read: {word[:80]}", hint="write ARG NAME=value"
                )
            if not given and self._bare is None:
                continue
            value = _value(text, after) if given else str(self._bare)
            # Builders differ in whether an ARG line can use variables that the same line has set.
            after[key] = value if not given or value == _value(text, before) else UNREADABLE
            yield key, after[key]


def _words(rest: str, escape: str) -> list[str]:
    e = re.escape(escape)
    word = rf"""(?:{e}(?:.|\Z)|'[^']*(?:'|\Z)|"(?:{e}.|[^"{e}])*(?:"|{e}?\Z)|[^{BLANKS}'"{e}])+"""
    return re.findall(word, rest, re.DOTALL)


def _value(text: str, variables: Mapping[str, str]) -> str:
    plain = _PLAIN.fullmatch(text)
    value = _filled(plain[1] or plain[2] or plain[3] or "", variables) if plain else UNREADABLE
    return value if len(value) <= _LONGEST else UNREADABLE


def _filled(text: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, how, other = found[1] or found[2], found[3], found[4] or ""
        given = variables.get(name)
        there = given is not None and (given != "" or how in ("-", "+"))
        if how in ("+", ":+"):
            return other if there else ""
        if how in ("-", ":-"):
            return given or "" if there else other
        return given or ""

    return _VARIABLE.sub(value, text)
