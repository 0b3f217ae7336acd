"""The encrypted values of a sops file. Each is encrypted with AES-256-GCM and the file's key, and bound to its name.

A checksum over all values, the MAC, is encrypted too. It reveals whether a value was removed, added or moved.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable

from norn_tasks.domain.errors import StepFailed
from norn_tasks.domain.wording import shown

KEY_BYTES = 32
_NONCE_BYTES, _TAG_BYTES = 32, 16
_BASE64 = r"[A-Za-z0-9+/]*={0,2}"
_VALUE = re.compile(
    rf"ENC\[AES256_GCM,data:(?P<data>{_BASE64}),iv:(?P<iv>{_BASE64}),tag:(?P<tag>{_BASE64}),type:(?P<type>[a-z0-9]+)\]"
)
_ENCRYPTED_ONLY = hashlib.sha256(b"sops").digest()
"""The beginning of the data for the checksum, if the file says `mac_only_encrypted`."""


class SecretsFileRefused(StepFailed):
    """Raised when a file of secrets is not in the format of sops, is encrypted for other keys, or was changed."""

    code, status = "secrets_file_refused", 422


def is_encrypted(text: str) -> bool:
    """Returns True for a text in the form of an encrypted value."""
    return _VALUE.fullmatch(text) is not None


def decrypted(text: str, key: bytes, bound_to: str) -> tuple[str, bytes]:
    """Returns the type and the bytes of an encrypted value; raises SecretsFileRefused if it was changed."""
    # Imported here and not at the top, because most processes never read such a file.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    found = _VALUE.fullmatch(text)
    if found is None:
        raise changed(bound_to.rstrip(":"))
    try:
        data, nonce, tag = (b64decode(found[part], validate=True) for part in ("data", "iv", "tag"))
        if len(tag) != _TAG_BYTES:
            raise changed(bound_to.rstrip(":"))
        return found["type"], AESGCM(key).decrypt(nonce, data + tag, bound_to.encode())
    except (InvalidTag, ValueError):
        raise changed(bound_to.rstrip(":")) from None


def encrypted(data: bytes, key: bytes, bound_to: str) -> str:
    """Returns a text value in its encrypted form."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, data, bound_to.encode())
    parts = (b64encode(part).decode() for part in (sealed[:-_TAG_BYTES], nonce, sealed[-_TAG_BYTES:]))
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]".format(*parts)


def checksum(values: Iterable[bytes], *, encrypted_only: bool = False) -> str:
    """Returns the checksum of a file with these values, in the order of the file."""
    found = hashlib.sha512(_ENCRYPTED_ONLY if encrypted_only else b"")
    for value in values:
        found.update(value)
    return found.hexdigest().upper()


def changed(where: str) -> SecretsFileRefused:
    """Returns the error for a part that was changed after sops wrote it."""
    named = where if where.isprintable() else shown(where)
    return SecretsFileRefused(
        f"the file was changed after it was encrypted: {named}", hint="change it with sops, or take an earlier version"
    )
