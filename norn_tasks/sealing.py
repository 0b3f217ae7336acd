"""Encrypts ("seals") texts with age (https://age-encryption.org); the only module that imports pyrage.

The public key encrypts; only the private key decrypts. The API has only the public key, and workers have the private
key. pyrage is imported at the first use, because most processes never encrypt or decrypt.
"""

from __future__ import annotations


class NotAKey(Exception):
    """The text is not an age key of the required kind."""


class CannotOpen(Exception):
    """The sealed bytes were encrypted for another key, or were changed."""


def fresh_key() -> str:
    """Returns a new private key, `AGE-SECRET-KEY-1…`."""
    import pyrage

    return str(pyrage.x25519.Identity.generate())


def key_in(text: str) -> str:
    """Returns the key in a key file, without the comments, in which age's own tools write the public key."""
    return "".join(line.strip() for line in text.splitlines() if not line.startswith("#"))


def keys_in(text: str) -> tuple[str, ...]:
    """Returns the keys in a file: the present one, then earlier ones, which decrypt what was encrypted before a
    rotation.
    """
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def recipient_of(key: str) -> str:
    """Returns the public key (`age1…`) of a private key; raises NotAKey, which does not quote the key."""
    import pyrage

    try:
        return str(pyrage.x25519.Identity.from_str(key).to_public())
    except pyrage.IdentityError:
        raise NotAKey("this is not a private age key") from None


def seal(text: str, recipient: str) -> bytes:
    """Encrypts a text for a public key; raises NotAKey."""
    return _sealed(text.encode(), recipient)


def armoured(data: bytes, recipient: str) -> str:
    """Encrypts bytes for a public key, in the text format of age; raises NotAKey."""
    return _sealed(data, recipient, armored=True).decode()


def _sealed(data: bytes, recipient: str, **form: bool) -> bytes:
    import pyrage

    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise NotAKey("this is not a public age key") from None
    return bytes(pyrage.encrypt(data, [to], **form))


def unseal(sealed: bytes, key: str) -> str:
    """Decrypts a text with this private key; raises NotAKey or CannotOpen."""
    return unseal_bytes(sealed, key).decode()


def unseal_bytes(sealed: bytes, key: str) -> bytes:
    """Decrypts bytes with this private key, in either format of age; raises NotAKey or CannotOpen."""
    import pyrage

    try:
        identity = pyrage.x25519.Identity.from_str(key)
    except pyrage.IdentityError:
        raise NotAKey("this is not a private age key") from None
    try:
        return bytes(pyrage.decrypt(sealed, [identity]))
    except pyrage.DecryptError:
        raise CannotOpen("it was sealed to another key") from None
