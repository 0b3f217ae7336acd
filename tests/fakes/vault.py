"""A vault in memory, which "encrypts" a text by reversing it."""

from __future__ import annotations

from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Sealed, Secret


def sealed(name: str, text: str, version: int = 1, *, current: bool = True) -> Sealed:
    """Encrypts a text as the fake does."""
    return Sealed(name, version, text[::-1].encode(), current)


class FakeVault:
    """A fake of `ports.Vault`. With `locked` it has no key."""

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked

    def open(self, sealed: Sealed) -> Secret:
        """Decrypts one secret; raises SecretsLocked if the key is missing."""
        if self.locked:
            raise SecretsLocked(f"secret {sealed.name} cannot be opened: the fake's key is gone")
        return Secret(sealed.sealed.decode()[::-1])
