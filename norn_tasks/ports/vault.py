"""The key that opens secrets."""

from __future__ import annotations

from typing import Protocol

from norn_tasks.domain.secret import Sealed, Secret


class Vault(Protocol):
    """Opens what the API sealed."""

    def open(self, sealed: Sealed) -> Secret:
        """Returns the secret; raises SecretsLocked when the key is missing, or the secret was sealed to another one."""
