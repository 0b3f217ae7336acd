"""A vault in memory: what is sealed is the text itself, backwards."""

from __future__ import annotations

from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Sealed, Secret


def sealed(name: str, text: str, version: int = 1, *, current: bool = True) -> Sealed:
    """Seals a text for the fake."""
    return Sealed(name, version, text[::-1].encode(), current)


class FakeVault:
    """Keeps `ports.Vault`. `locked`: the key is not there."""

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked

    def open(self, sealed: Sealed) -> Secret:
        """Opens one."""
        if self.locked:
            raise SecretsLocked(f"secret {sealed.name} cannot be opened: the fake's key is gone")
        return Secret(sealed.sealed.decode()[::-1])
