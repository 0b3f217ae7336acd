"""Functions that check a field's value, describe it in a message, or refuse it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from pydantic_core import PydanticCustomError

from norn_tasks.domain.wording import shown

Number = TypeVar("Number", int, float)

# NUL breaks databases and environments, escape sequences control terminals, and a lone surrogate cannot be encoded as
# UTF-8.
UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Plain(str):
    """A scalar without quotes in the file; the type of its field decides its meaning."""

    __slots__ = ()


def refuse(message: str, hint: str = "", at: tuple[str | int, ...] = ()) -> NoReturn:
    """Refuses a value by raising PydanticCustomError: `message` says what is wrong and what is allowed; `at` is the
    path of the bad item inside the value.
    """
    raise PydanticCustomError("refused", "{message}", {"message": message, "hint": hint, "at": at})


def refuse_controls(text: str, *, multiline: bool) -> None:
    """Refuses characters that cannot be stored or printed; tabs and line ends are allowed only if `multiline`."""
    found = UNSTORABLE.search(text) or re.search(r"\r" if multiline else r"[\t\n\r]", text)
    if found:
        refuse(f"the text has the character U+{ord(found[0]):04X}, which is not allowed here", "take it out")


def described(value: Any) -> str:
    """Returns a description of a value that is not of the expected type, for a message."""
    if isinstance(value, dict):
        return "a section (name: value)"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str) and not isinstance(value, Plain):
        return f"the quoted text {shown(value)}"
    return shown(value)


def within(
    value: Number, limits: tuple[Number, Number], write: Callable[[Number], str], what: str, hint: str = ""
) -> Number:
    """Returns a number if it is within its limits, or refuses it with a message that names both limits."""
    low, high = map(write, limits)
    if not limits[0] <= value <= limits[1]:
        refuse(f"{write(value)} is out of range: {what} from {low} to {high}", hint or f"write {low} to {high}")
    return value
