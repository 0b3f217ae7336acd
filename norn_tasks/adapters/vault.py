"""The private age key of this worker: from a file, or handed over in its environment. Read when it is first needed."""

from __future__ import annotations

from pathlib import Path

from norn_tasks import age
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Sealed, Secret

_BACK = "put the file back from a backup, or set the secrets anew; docs/secrets.md has both"


class AgeVault:
    """Keeps `ports.Vault`. `key` is the private key itself; empty: it stands in `file`."""

    def __init__(self, key: str, file: Path) -> None:
        self._key = key.strip()
        self._file = file

    def open(self, sealed: Sealed) -> Secret:
        """Opens one secret with the key."""
        try:
            return Secret(age.unseal(sealed.sealed, self._read()))
        except age.NotAKey:
            where = "NORN_AGE_KEY" if self._key else str(self._file)
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: what is in {where} is no private age key", hint=_BACK
            ) from None
        except age.CannotOpen:
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: it was sealed to another key than this worker has",
                hint=f"give this worker the key of `norn up`, or set the secret anew: {sealed.name}",
            ) from None

    def _read(self) -> str:
        if self._key:
            return self._key
        try:
            self._key = age.key_in(self._file.read_text("utf-8", "replace"))
        except OSError as error:
            raise SecretsLocked(
                f"secrets cannot be opened: their key {self._file} cannot be read ({error.strerror})", hint=_BACK
            ) from None
        return self._key
