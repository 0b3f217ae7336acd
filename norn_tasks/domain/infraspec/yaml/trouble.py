"""Explains an error of the YAML parser to the author of an infraspec, with a hint."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from norn_tasks.domain.infraspec.yaml.positions import Spot
from norn_tasks.domain.wording import shown

QUOTE_IT = """put the text in quotes, as in "*/5 * * * *" or "@daily\""""
MAX_DEPTH = 20
TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"
"""The sentence for Norn's own limit, and for the limit of newer YAML parsers, which may report no position."""
TOO_DEEP_HINT = "no field needs more than four"
_HINTS_BY_CHARACTER = {
    "\t": "indent with spaces, not with tabs",
    "*": QUOTE_IT,
    "@": QUOTE_IT,
    "`": "put the text in quotes",
    "%": "put the text in quotes",
    "&": "put the text in quotes",
    "!": "put the text in quotes",
}
_HINTS_BY_PROBLEM = {
    "mapping values are not allowed": "put a text that has a colon and a space in quotes, or check the indentation",
    "expected key": "check the indentation: fields of one section begin in one column",
    "block end": "check the indentation: fields of one section begin in one column",
    "simple key": "put a colon and a space after the field's name",
    "end of stream": "close the quote or bracket that was opened",
}


@dataclass(frozen=True)
class Trouble:
    """The reason why a text is not YAML, a hint, and the position of the mistake."""

    message: str
    hint: str
    spot: Spot


def explain(wrong: Exception, text: str) -> Trouble:
    """Returns a parser's exception as a sentence with a position."""
    if "maximum nesting depth" in str(wrong):
        return Trouble(TOO_DEEP, TOO_DEEP_HINT, Spot())
    if not isinstance(wrong, yaml.MarkedYAMLError):
        return Trouble(f"this cannot be read as YAML: {shown(wrong)}", "", Spot())
    in_name = (wrong.context or "").startswith(("while scanning an a", "while scanning a tag"))
    mark = wrong.context_mark if in_name else wrong.problem_mark
    spot = Spot(mark.line + 1, mark.column + 1) if mark else Spot()
    return Trouble(
        f"this cannot be read as YAML: {wrong.problem or wrong.context}", _hint(wrong.problem or "", text, spot), spot
    )


def _hint(problem: str, text: str, spot: Spot) -> str:
    lines = text.split("\n")
    line = lines[spot.line - 1] if spot.line <= len(lines) else ""
    by_character = _HINTS_BY_CHARACTER.get(line[spot.column - 1 : spot.column])
    by_problem = (hint for words, hint in _HINTS_BY_PROBLEM.items() if words in problem)
    return by_character or next(by_problem, "check the indentation and the quotes of this line")
