"""The key that decrypts secrets. It is created once and stored in the data directory; its public key is stored for the
API.
"""

from __future__ import annotations

import os
from pathlib import Path

from norn_tasks import sealing
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.progress import say
from norn_tasks.settings import Settings
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database

_UNSET = (
    "unset them (norn secrets list APP; for the secrets that sign alerts: norn notify list, norn notify remove NAME; "
    "for the tokens of repositories: norn repo list, norn repo logout ID)"
)
"""A hint that says how to unset everything that is encrypted for the key: secrets of apps, signing secrets, repository
tokens.
"""


def ensure_key(database: Database, settings: Settings) -> None:
    """Creates the key if it does not exist, and registers its public key; prints a warning if it is not the expected
    key.

    While secrets are set, a lost key is never replaced with a new one. Raises NotStarted if the file cannot be read or
    written, or contains no key.
    """
    with database.transaction() as tx:
        known, sealed = secrets.known_recipient(tx), secrets.any_sealed(tx)
    try:
        keys = _keys(settings, may_make=known is None or not sealed)
    except SecretsLocked as lost:
        say(f"  {lost.sentence}: {sealed} secrets cannot be opened\n  hint: {lost.hint}")
        return
    if known in [sealing.recipient_of(key) for key in keys]:
        return  # this also happens while a rotation has created a key that is not in use yet
    if known is not None and sealed:
        say(
            f"  {settings.age_key_path} is not the key to which {sealed} secrets were sealed: they cannot be opened\n"
            f"  hint: put the right one back from a backup, or {_UNSET}; then norn up"
        )
        return
    with database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(keys[0]))


def _keys(settings: Settings, *, may_make: bool) -> tuple[str, ...]:
    file = settings.age_key_path
    if settings.age_key:
        return _checked(settings.age_key, "NORN_AGE_KEY")
    try:
        if may_make and not file.exists():
            _make(file)
            say(f"  the key that opens secrets is in {file}: keep a copy of it elsewhere")
        return _checked(file.read_text("utf-8", "replace"), str(file))
    except FileNotFoundError:
        hint = f"put it back from a backup; or, if it is lost, {_UNSET}, and norn up makes a new one"
        raise SecretsLocked(f"the key {file} is gone", hint=hint) from None
    except OSError as error:
        raise NotStarted(
            f"the key of secrets, {file}, cannot be used: {error.strerror}",
            hint="make it readable, or NORN_AGE_KEY_FILE",
        ) from error


def _make(file: Path) -> None:
    """Writes a new key atomically into a file that only this user can read."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(sealing.fresh_key() + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        # If two processes start at the same time, the key of the first one stays.
        os.link(part, file)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _checked(text: str, where: str) -> tuple[str, ...]:
    keys = sealing.keys_in(text)
    try:
        for key in keys or ("",):
            sealing.recipient_of(key)
    except sealing.NotAKey:
        raise NotStarted(f"{where} holds no private age key", hint="put the right one there, or remove it") from None
    return keys
