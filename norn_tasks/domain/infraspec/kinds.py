"""The kinds of value a field may have: each reads a scalar by its field's type and draws its own JSON Schema.

A kind is an annotation (`Annotated[int, Whole(1, 65535)]`). What comes from a file is text, `Plain` when it stood
without quotes; what comes from a stored spec or from code is typed already. Both are read by the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec.scalars import Plain, refuse, refuse_controls, told, within
from norn_tasks.domain.wording import closest, one_of

JsonSchema = dict[str, Any]


class Kind:
    """How one kind of value is read; each subclass gives `read` and `schema`."""

    def read(self, value: Any) -> Any:
        """Return the value as the model keeps it, or refuse it."""
        raise NotImplementedError

    def schema(self) -> JsonSchema:
        """Return the JSON Schema of what a file may say here."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        reading = core_schema.no_info_plain_validator_function(self._read)
        return core_schema.nullable_schema(reading) if type(None) in get_args(source) else reading

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return self.schema()

    def _read(self, value: Any) -> Any:
        try:
            return self.read(value)
        except InvalidRequest as wrong:
            refuse(wrong.sentence, wrong.hint)


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number within limits."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Accept digits without quotes: no sign, no leading zero, no exponent."""
        digits = isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", value, re.ASCII)
        if digits and isinstance(value, Plain):
            value = int(value)
        rule = f"a whole number from {self.low} to {self.high}"
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(f"{told(value)} is not {rule}", f"write {value} without quotes" if digits else "write it in digits")
        return within(value, (self.low, self.high), str, rule)

    def schema(self) -> JsonSchema:
        """Draw an integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Flag(Kind):
    """True or false, and no other spelling."""

    def read(self, value: Any) -> bool:
        """Accept `true` and `false` without quotes."""
        if isinstance(value, Plain) and value in ("true", "false"):
            value = value == "true"
        if not isinstance(value, bool):
            meant = "true" if str(value).lower() in ("yes", "on", "true") else "false"
            refuse(f"{told(value)} is neither true nor false", f"write {meant}, without quotes")
        return value

    def schema(self) -> JsonSchema:
        """Draw a boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(Kind):
    """A text, judged by `check`; `loose` says that an editor may take its plain form for a number or a boolean."""

    check: Callable[[str], str] | None = None
    pattern: str = ""
    loose: bool = False
    multiline: bool = False
    may_be_empty: bool = False

    def read(self, value: Any) -> str:
        """Accept any scalar as the text that it is."""
        if not isinstance(value, str):
            refuse(f"{told(value)} is not a text", "write a text, in quotes if it has special characters")
        text = str(value)
        refuse_controls(text, multiline=self.multiline)
        if not text.strip() and not self.may_be_empty:
            refuse("the text is empty", "write one, or leave the line out")
        return self.check(text) if self.check else text

    def schema(self) -> JsonSchema:
        """Draw a string."""
        drawn: JsonSchema = {"type": ["string", "number", "boolean"] if self.loose else "string"}
        return drawn | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True)
class OneOf(Kind):
    """A word out of a closed list."""

    words: type[StrEnum]

    def read(self, value: Any) -> StrEnum:
        """Accept one of the words, spelled exactly."""
        options = [word.value for word in self.words]
        if not isinstance(value, str) or value not in options:
            likely = closest(value, options) if isinstance(value, str) else None
            choice = one_of(options)
            refuse(f"{told(value)} is not {choice}", f"did you mean {likely}?" if likely else f"write {choice}")
        return self.words(str(value))

    def schema(self) -> JsonSchema:
        """Draw an enumeration."""
        return {"type": "string", "enum": [word.value for word in self.words]}


class Command(Kind):
    """A text for a shell, or a list to be executed as it stands."""

    def read(self, value: Any) -> str | tuple[str, ...]:
        """Accept a text, or a list of texts whose first is not empty."""
        if not isinstance(value, list | tuple):
            return Text(multiline=True).read(value)
        if not value:
            refuse("the list is empty", "write the program and its arguments, or leave the line out")
        return tuple(self._argument(place, word) for place, word in enumerate(value))

    def schema(self) -> JsonSchema:
        """Draw a text or a list of texts."""
        word = Text(loose=True).schema()
        return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}

    def _argument(self, place: int, word: Any) -> str:
        try:
            return Text(multiline=True, may_be_empty=place > 0).read(word)
        except PydanticCustomError as wrong:
            said = wrong.context or {}
            refuse(said["message"], said["hint"], at=(place,))
