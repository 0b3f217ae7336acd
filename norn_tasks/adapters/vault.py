"""The private age keys of this worker, from its environment or from a file. The file is first read when a key is
needed.

The file has the present key and, after a rotation, the earlier ones. It is read again if no known key can decrypt a
secret, because the key may have been rotated since the last read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from norn_tasks import sealing
from norn_tasks.domain.errors import Conflict, SecretsLocked
from norn_tasks.domain.secret import Sealed, Secret

_BACK = "put the file back from a backup, or set the secrets again; docs/secrets.md describes both"


class AgeVault:
    """Implements `ports.Vault`. `key` is the private key itself; if it is empty, the keys are in `file`."""

    def __init__(self, key: str, file: Path) -> None:
        self._fixed = sealing.keys_in(key)
        self._file = file
        self._keys: tuple[str, ...] = self._fixed

    def open(self, sealed: Sealed) -> Secret:
        """Decrypts a secret; raises SecretsLocked if this worker does not have the key for which the secret was
        encrypted.
        """
        try:
            found = self._unsealed(sealed.sealed)
        except sealing.NotAKey:
            where = "NORN_AGE_KEY" if self._fixed else str(self._file)
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: what is in {where} is no private age key", hint=_BACK
            ) from None
        if found is None:
            raise SecretsLocked(
                f"secret {sealed.name} cannot be opened: it was encrypted for a key that this worker does not have",
                hint=f"give this worker the key of `norn up`, or set the secret again: {sealed.name}",
            )
        return Secret(found.decode())

    def unwrap(self, wrapped: str) -> bytes | None:
        """Decrypts the key of an encrypted file; returns None if the file was encrypted for another key. Raises
        SecretsLocked if the keys of this worker cannot be read.
        """
        try:
            return self._unsealed(wrapped.encode("utf-8", "surrogatepass"))
        except sealing.NotAKey:
            raise SecretsLocked("the key of this worker is no private age key", hint=_BACK) from None

    def add_key(self, in_use: str) -> str:
        """Puts a new key at the beginning of the file, and returns its public key.

        `in_use` is the public key for which secrets are encrypted now. If an interrupted rotation has already added a
        new key, the public key of that one is returned. Raises Conflict if the keys are not in a file.
        """
        if self._fixed:
            raise Conflict(
                "the key is in NORN_AGE_KEY, which a worker cannot change",
                hint="put it into the file age.key of the data directory instead (docs/secrets.md)",
            )
        keys = self._read()
        if sealing.recipient_of(keys[0]) == in_use:
            keys = (sealing.fresh_key(), *keys)
            self._write(keys)
            self._keys = (*keys, *self._keys)
        return sealing.recipient_of(keys[0])

    def resealed(self, sealed: Sealed, public: str) -> bytes | None:
        """Returns the secret, encrypted again for this public key; None if that key already decrypts the secret. Raises
        SecretsLocked if no known key decrypts it.
        """
        for key in self._tried():
            if sealing.recipient_of(key) == public:
                try:
                    sealing.unseal_bytes(sealed.sealed, key)
                except sealing.CannotOpen:
                    break
                return None
        return sealing.seal(self.open(sealed).reveal(), public)

    def _unsealed(self, sealed: bytes) -> bytes | None:
        for key in self._tried():
            try:
                return sealing.unseal_bytes(sealed, key)
            except sealing.CannotOpen:
                continue
        return None

    def _tried(self) -> Iterator[str]:
        """Yields the known keys, and then keys that were added to the file after the last read."""
        known = self._keys
        yield from known
        if not self._fixed:
            found = self._read()
            # An earlier key stays known, because a job may have been claimed before the rotation.
            self._keys = (*found, *(key for key in known if key not in found))
            yield from (key for key in found if key not in known)

    def _read(self) -> tuple[str, ...]:
        try:
            found = sealing.keys_in(self._file.read_text("utf-8", "replace"))
        except OSError as error:
            raise SecretsLocked(
                f"secrets cannot be opened: their key {self._file} cannot be read ({error.strerror})", hint=_BACK
            ) from None
        if not found:
            raise SecretsLocked(f"secrets cannot be opened: their key {self._file} is empty", hint=_BACK)
        return found

    def _write(self, keys: tuple[str, ...]) -> None:
        """Replaces the complete file, and flushes it to the disk, before any secret can be encrypted for the
        new key.
        """
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write("".join(f"{key}\n" for key in keys))
                out.flush()
                os.fsync(out.fileno())
            part.replace(self._file)
            directory = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Conflict(
                f"the key {self._file} cannot be replaced: {error.strerror}",
                hint="let workers write the file and its directory",
            ) from error
