"""Sealing by age (https://age-encryption.org): the only module that names pyrage.

Whoever has the public key can seal; only the private key opens. The API has the first alone, workers have the second.
pyrage is loaded when something is sealed or opened: most processes never do either.
"""

from __future__ import annotations


class NotAKey(Exception):
    """The text is no age key of the kind that is needed."""


class CannotOpen(Exception):
    """It was sealed to another key, or was changed since."""


def fresh_key() -> str:
    """Makes a private key, `AGE-SECRET-KEY-1…`."""
    import pyrage

    return str(pyrage.x25519.Identity.generate())


def key_in(text: str) -> str:
    """Answers what a key file holds beside comments: age's own tools write the public key into one."""
    return "".join(line.strip() for line in text.splitlines() if not line.startswith("#"))


def recipient_of(key: str) -> str:
    """Answers the public key, `age1…`, of a private one; raises NotAKey, without the text."""
    import pyrage

    try:
        return str(pyrage.x25519.Identity.from_str(key).to_public())
    except pyrage.IdentityError:
        raise NotAKey("this is not a private age key") from None


def seal(text: str, recipient: str) -> bytes:
    """Seals a text to a public key; raises NotAKey."""
    import pyrage

    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise NotAKey("this is not a public age key") from None
    return bytes(pyrage.encrypt(text.encode(), [to]))


def unseal(sealed: bytes, key: str) -> str:
    """Opens what was sealed to the key; raises NotAKey or CannotOpen."""
    import pyrage

    try:
        identity = pyrage.x25519.Identity.from_str(key)
    except pyrage.IdentityError:
        raise NotAKey("this is not a private age key") from None
    try:
        return bytes(pyrage.decrypt(sealed, [identity])).decode()
    except pyrage.DecryptError:
        raise CannotOpen("it was sealed to another key") from None
