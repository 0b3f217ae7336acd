"""The port for the key that decrypts secrets, its rotation, and the rows that only this key decrypts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed, Secret


class Vault(Protocol):
    """Decrypts secrets that the API encrypted."""

    def open(self, sealed: Sealed) -> Secret:
        """Returns the secret; raises SecretsLocked if the key is missing, or if the secret was encrypted for another
        key.
        """


class Keyring(Protocol):
    """Creates a new key, and encrypts for the new key the secrets that were encrypted for another one."""

    def add_key(self, in_use: str) -> str:
        """Creates a key and returns its public key. If a key that is not `in_use` already exists, returns that one.
        Raises Conflict if the keys are not in a file.
        """

    def resealed(self, sealed: Sealed, public: str) -> bytes | None:
        """Returns the text encrypted for this public key; None if it already is. Raises SecretsLocked."""


@dataclass(frozen=True)
class SealedPlace:
    """Where an encrypted text is: a table, and the values of its primary key."""

    table: str
    """The table."""
    key: tuple[object, ...]
    """The values of its primary key."""


class SealedRows(Protocol):
    """Everything that is encrypted for the server's key. Every change is fenced: it may raise LeaseLost."""

    def in_use(self) -> str:
        """Returns the public key for which secrets are encrypted; raises Conflict if there is none."""

    def use(self, public: str, fence: Fence) -> None:
        """Makes this the key for which secrets are encrypted from now on."""

    def all(self) -> tuple[SealedPlace, ...]:
        """Returns where all encrypted texts are."""

    def reseal(self, place: SealedPlace, change: Callable[[Sealed], bytes | None], fence: Fence) -> bool:
        """Replaces an encrypted text with the result of `change`; returns False if that is None, or if the row no
        longer exists.
        """
