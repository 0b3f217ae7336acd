"""The kinds of values that a field may have. Each kind checks and converts a value, and has a JSON Schema.

A kind is an annotation (`Annotated[int, Whole(1, 65535)]`). A value from a file arrives as text, of the class `Plain`
if it had no quotes. A value from a stored infraspec or from code already has its type. Each kind accepts both.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec.yaml.scalars import Plain, described, refuse, refuse_controls, within
from norn_tasks.domain.wording import closest, one_of

JsonSchema = dict[str, Any]


class ValueKind(ABC):
    """A kind of value; each subclass implements `read` and `schema`."""

    @abstractmethod
    def read(self, value: Any) -> Any:
        """Returns the value as the model stores it, or raises an error."""

    @abstractmethod
    def schema(self) -> JsonSchema:
        """Returns the JSON Schema of the values that a file may have here."""

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
class Whole(ValueKind):
    """A whole number within limits."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        """Returns the number, which a file must write as digits, without quotes, leading zeros or an exponent."""
        digits = isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", value, re.ASCII)
        if digits and isinstance(value, Plain):
            value = int(value)
        rule = f"a whole number from {self.low} to {self.high}"
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(
                f"{described(value)} is not {rule}", f"write {value} without quotes" if digits else "write it in digits"
            )
        return within(value, (self.low, self.high), str, rule)

    def schema(self) -> JsonSchema:
        """Returns the schema of an integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Flag(ValueKind):
    """True or false, and no other spelling."""

    def read(self, value: Any) -> bool:
        """Returns the boolean of `true` or `false`, written without quotes."""
        if isinstance(value, Plain) and value in ("true", "false"):
            value = value == "true"
        if not isinstance(value, bool):
            meant = "true" if str(value).lower() in ("yes", "on", "true") else "false"
            refuse(f"{described(value)} is neither true nor false", f"write {meant}, without quotes")
        return value

    def schema(self) -> JsonSchema:
        """Returns the schema of a boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(ValueKind):
    """A text that `check` validates; `loose`: its schema also allows a number or a boolean.

    A text without quotes may look like a number or a boolean, and editors read it as one. Without `loose` they would
    mark it as wrong.
    """

    check: Callable[[str], str] | None = None
    pattern: str = ""
    loose: bool = False
    multiline: bool = False
    may_be_empty: bool = False

    def read(self, value: Any) -> str:
        """Returns the text. Any scalar of a file counts as a text, even `1.10` or `true` without quotes."""
        if not isinstance(value, str):
            refuse(f"{described(value)} is not a text", "write a text, in quotes if it has special characters")
        text = str(value)
        refuse_controls(text, multiline=self.multiline)
        if not text.strip() and not self.may_be_empty:
            refuse("the text is empty", "write one, or leave the line out")
        return self.check(text) if self.check else text

    def schema(self) -> JsonSchema:
        """Returns the schema of a string."""
        drawn: JsonSchema = {"type": ["string", "number", "boolean"] if self.loose else "string"}
        return drawn | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True)
class OneOf(ValueKind):
    """One value of an enum."""

    words: type[StrEnum]

    def read(self, value: Any) -> StrEnum:
        """Returns the member of the enum whose value is exactly this text."""
        options = [word.value for word in self.words]
        if not isinstance(value, str) or value not in options:
            likely = closest(value, options) if isinstance(value, str) else None
            choice = one_of(options)
            refuse(f"{described(value)} is not {choice}", f"did you mean {likely}?" if likely else f"write {choice}")
        return self.words(str(value))

    def schema(self) -> JsonSchema:
        """Returns the schema of an enumeration."""
        return {"type": "string", "enum": [word.value for word in self.words]}


class CommandText(ValueKind):
    """A text for a shell, or a list that is executed unchanged."""

    def read(self, value: Any) -> str | tuple[str, ...]:
        """Returns a text, or a list of texts, of which the first is not empty."""
        if not isinstance(value, list | tuple):
            return Text(multiline=True).read(value)
        if not value:
            refuse("the list is empty", "write the program and its arguments, or leave the line out")
        return tuple(self._argument(place, word) for place, word in enumerate(value))

    def schema(self) -> JsonSchema:
        """Returns the schema of a text or a list of texts."""
        word = Text(loose=True).schema()
        return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}

    def _argument(self, place: int, word: Any) -> str:
        try:
            return Text(multiline=True, may_be_empty=place > 0).read(word)
        except PydanticCustomError as wrong:
            said = wrong.context or {}
            refuse(said["message"], said["hint"], at=(place,))
