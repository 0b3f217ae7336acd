"""The private age key of this worker, from a file or from its environment; it is read at its first use."""

from __future__ import annotations

from pathlib import Path

from norn_tasks import sealing
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Sealed, Secret

_BACK = "put the file back from a backup, or set the secrets again; docs/secrets.md describes both"


class AgeVault:
    """Implements `ports.Vault`. `key` is the private key itself; if it is empty, the key is in `file`."""

    def __init__(self, key: str, file: Path) -> None:
        self._key = key.strip()
        self._file = file

    def open(self, sealed: Sealed) -> Secret:
        """Opens one secret with the key."""
        try:
            return Secret(sealing.unseal(sealed.sealed, self._read()))
        except sealing.NotAKey:
            where = "NORN_AGE_KEY" if self._key else str(self._file)
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: what is in {where} is no private age key", hint=_BACK
            ) from None
        except sealing.CannotOpen:
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: it was sealed to another key than this worker has",
                hint=f"give this worker the key of `norn up`, or set the secret again: {sealed.name}",
            ) from None

    def unwrap(self, wrapped: str) -> bytes | None:
        """Decrypts the key of an encrypted file; None if it was encrypted to another key. Raises SecretsLocked."""
        try:
            return sealing.unseal_bytes(wrapped.encode("utf-8", "surrogatepass"), self._read())
        except sealing.NotAKey:
            raise SecretsLocked("the key of this worker is no private age key", hint=_BACK) from None
        except sealing.CannotOpen:
            return None

    def _read(self) -> str:
        if self._key:
            return self._key
        try:
            self._key = sealing.key_in(self._file.read_text("utf-8", "replace"))
        except OSError as error:
            raise SecretsLocked(
                f"secrets cannot be opened: their key {self._file} cannot be read ({error.strerror})", hint=_BACK
            ) from None
        return self._key
