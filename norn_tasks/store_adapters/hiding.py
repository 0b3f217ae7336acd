"""The secrets of an app, to be hidden in the output of its containers."""

from __future__ import annotations

from norn_tasks.domain.redaction import Redaction
from norn_tasks.ports import Vault
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database


class HiddenSecrets:
    """Implements `ports.Hiding` with the app's encrypted secrets, including replaced ones that a container may still
    have.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def of(self, app: str) -> Redaction:
        """Returns the values to hide; raises SecretsLocked if one cannot be decrypted, or DatabaseDown."""
        with self._database.transaction() as tx:
            sealed = secrets.sealed_of(tx, app)
        return Redaction([self._vault.open(each) for each in sealed])
