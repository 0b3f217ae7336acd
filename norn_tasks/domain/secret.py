"""A secret: a value for the app's own code, stored encrypted. The worker that starts the code decrypts it.

Its name is the name of an environment variable. Norn never returns its value to anybody, except in an encrypted export.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.names import env_key

STRING_MAX = 131_071
"""The most bytes of one string `NAME=value` in an environment (in Linux: MAX_ARG_STRLEN without the NUL)."""

MOST = 100
"""The largest number of secrets of one app."""

ALL_MAX = 1024 * 1024
"""The most bytes of all encrypted values of an app, because the kernel limits the size of a program's environment."""


class Secret:
    """A text that cannot be printed, compared, pickled or written as JSON: only `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Returns the text, for code that encrypts it, hides it in output, or builds an environment."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True)
class Sealed:
    """A secret as it is stored: encrypted.

    If `current` is False, the secret was replaced or unset. It is still hidden in output as long as a container may
    have it.
    """

    name: str
    version: int
    sealed: bytes = field(repr=False)
    current: bool = True


def secret_name(text: str) -> str:
    """Returns the text if it is a valid name of a secret."""
    return env_key(text)


def secret_value(name: str, text: str) -> Secret:
    """Returns the text as a secret; raises InvalidRequest if an environment cannot hold it, or if it is empty."""
    if not text:
        raise InvalidRequest(f"{name}: its value is empty", hint=f"give it one, or leave {name} out")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        hint = "encode binary values, for instance as base64"
        raise InvalidRequest(f"{name}: its value is not text that an environment can hold", hint=hint)
    size = len(name) + 1 + len(text.encode())
    if size > STRING_MAX:
        sentence = f"{name}: {size} bytes with its name, and one environment variable holds {STRING_MAX}"
        raise InvalidRequest(sentence, hint="keep a large file elsewhere, and the key to it here")
    return Secret(text)


def current(sealed: Iterable[Sealed]) -> dict[str, Sealed]:
    """Returns the secrets that are set, by name."""
    return {each.name: each for each in sealed if each.current}
