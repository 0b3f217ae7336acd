"""The logins for private repositories, decrypted for git."""

from __future__ import annotations

from norn_tasks.domain.secret import Sealed
from norn_tasks.ports import GitLogin, Vault
from norn_tasks.store.apps import logins
from norn_tasks.store.database.session import Database


class RepositoryLogins:
    """Implements `ports.GitLogins`: reads a login each time git needs it, and remembers none."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def of(self, url: str) -> GitLogin | None:
        """Returns the login of the repository at an address, None if it has none; raises DatabaseDown or
        SecretsLocked.
        """
        with self._database.transaction() as tx:
            found = logins.sealed_of(tx, url)
        if found is None:
            return None
        return GitLogin(found.username, self._vault.open(Sealed("the token of a repository", 1, found.sealed)))
