"""The key that opens secrets."""

from __future__ import annotations

from typing import Protocol

from norn_tasks.domain.secret import Sealed, Secret


class Vault(Protocol):
    """Opens what the API sealed."""

    def open(self, sealed: Sealed) -> Secret:
        """Answers the secret; raises SecretsLocked when the key is not there, or is another one."""
