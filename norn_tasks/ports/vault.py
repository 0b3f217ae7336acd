"""The key that opens secrets, its rotation, and the rows that are sealed to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Sealed, Secret


class Vault(Protocol):
    """Opens secrets that the API sealed."""

    def open(self, sealed: Sealed) -> Secret:
        """Returns the secret; raises SecretsLocked if the key is missing, or the secret was sealed to another key."""


class Keyring(Protocol):
    """Makes a new key, and seals to it the secrets that were sealed to another key."""

    def add_key(self, in_use: str) -> str:
        """Makes a key, unless there is one that is not `in_use` yet, and returns its public key; raises Conflict."""

    def resealed(self, sealed: Sealed, public: str) -> bytes | None:
        """Returns the text sealed to this public key; None if it already is. Raises SecretsLocked."""


@dataclass(frozen=True)
class SealedPlace:
    """The place of a sealed text: a table, and the values of its key."""

    table: str
    """The table."""
    key: tuple[object, ...]
    """The values of its primary key."""


class SealedRows(Protocol):
    """Everything that is sealed to the server's key. Every change is fenced: it may raise LeaseLost."""

    def in_use(self) -> str:
        """Returns the public key to which secrets are sealed; raises Conflict if there is none."""

    def use(self, public: str, fence: Fence) -> None:
        """Makes this the key to which secrets are sealed from now on."""

    def all(self) -> tuple[SealedPlace, ...]:
        """Lists the places of all sealed texts."""

    def reseal(self, place: SealedPlace, change: Callable[[Sealed], bytes | None], fence: Fence) -> bool:
        """Replaces a sealed text by the result of `change`; False if that is None, or if the row is gone."""
