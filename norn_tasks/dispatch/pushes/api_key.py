"""The key of the API, which encrypts the secrets that the API itself uses to check signatures.

Secrets of apps are encrypted for the workers, and the API cannot decrypt them. But the API checks the signatures of
webhook deliveries. So it needs the secrets of webhooks, and a key of its own, which decrypts nothing else.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from norn_tasks import sealing
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Secret

_BACK = "put it back from a backup, or make new secrets: norn webhook rotate ID"


class ApiKey:
    """The private key in `file`, which is created when the first secret is encrypted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._key = ""

    def seal(self, secret: Secret) -> bytes:
        """Encrypts a secret so that only this key decrypts it; raises SecretsLocked if the file cannot be used."""
        return sealing.seal(secret.reveal(), sealing.recipient_of(self._read(may_make=True)))

    def open(self, sealed: bytes) -> Secret:
        """Decrypts a secret that was encrypted for this key; raises SecretsLocked."""
        try:
            return Secret(sealing.unseal(sealed, self._read(may_make=False)))
        except sealing.CannotOpen:
            raise SecretsLocked(f"the webhook was encrypted for a key other than {self._file}", hint=_BACK) from None

    def _read(self, *, may_make: bool) -> str:
        with self._lock:
            if not self._key:
                self._key = self._found(may_make=may_make)
            return self._key

    def _found(self, *, may_make: bool) -> str:
        try:
            if may_make and not self._file.exists():
                _make(self._file)
            key = sealing.key_in(self._file.read_text("utf-8", "replace"))
            sealing.recipient_of(key)
        except OSError as error:
            raise SecretsLocked(f"the API's key {self._file} cannot be used: {error.strerror}", hint=_BACK) from None
        except sealing.NotAKey:
            raise SecretsLocked(f"{self._file} holds no private age key", hint=_BACK) from None
        return key


def _make(file: Path) -> None:
    """Writes a new key into a file that only this user can read. If two processes do so at the same time, the first
    file is kept.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(sealing.fresh_key() + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(part, file)
    except FileExistsError:
        pass
    finally:
        part.unlink()
