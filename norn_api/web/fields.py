"""Mistakes in the fields of a request: turns pydantic's errors into Norn's sentences, each with a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from norn_tasks.domain.errors import InvalidRequest, Mistake
from norn_tasks.domain.names import app_name


class FieldsInvalid(InvalidRequest):
    """One or more fields of a request are wrong; `mistakes` lists them."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        first = mistakes[0]
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        super().__init__(f"{first.field}: {first.message}{more}", hint=first.hint)
        self.mistakes = mistakes


_WHOLE = ("it is not a whole number", "write digits, without quotes")
_FLAG = ("it is neither true nor false", "write true or false, without quotes")
_CHOICE = ("it is none of {expected}", "write one of them")
_TIME = ("it is not a time", "write one such as 2026-11-23T09:00:00Z")

_WORDS: Mapping[str, tuple[str, str]] = {
    "extra_forbidden": ("there is no such field", "leave it out, or check its spelling"),
    "missing": ("it is missing", "add it"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": ("it is far too large", "write a smaller number"),
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "string_type": ("it is not a text", "write a text, in quotes"),
    "list_type": ("it is not a list", "write a list, in brackets"),
    "greater_than_equal": ("it is less than {ge}", "write {ge} or more"),
    "less_than_equal": ("it is more than {le}", "write {le} or less"),
    "string_too_long": ("it has more than {max_length} characters", "write at most {max_length}"),
    "too_short": ("it has fewer than {min_length} entries", "write at least {min_length}"),
    "string_pattern_mismatch": ("it does not match {pattern}", "write a value that matches it"),
    "enum": _CHOICE,
    "literal_error": _CHOICE,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
}


def fields_invalid(error: ValidationError) -> FieldsInvalid:
    """Returns pydantic's findings with the fields' names, but without the values, which may be secret."""
    return FieldsInvalid(tuple(_mistake(found) for found in error.errors(include_url=False, include_input=False)))


def _mistake(found: Mapping[str, Any]) -> Mistake:
    field = ".".join(str(part) for part in found["loc"]) or "body"
    message, hint = _WORDS.get(found["type"], (_pydantics(found["msg"]), ""))
    values = found.get("ctx", {})
    return Mistake("request", 1, 1, field[:200], message.format_map(values)[:300], hint.format_map(values))


def _pydantics(message: str) -> str:
    """Returns a message from pydantic or from one of Norn's validators, with its braces escaped for `format_map`."""
    return message.removeprefix("Value error, ").replace("{", "{{").replace("}", "}}")


def app_names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns the names in a field `apps`, or None, which means every app; raises InvalidRequest for a bad name."""
    if given is None:
        return None
    try:
        return tuple(app_name(name) for name in given)
    except InvalidRequest as error:
        raise InvalidRequest(f"apps: {error.sentence}", hint=error.hint) from error
