"""Reads and writes complete files of secrets in the format of sops."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml

from norn_tasks import sealing
from norn_tasks.adapters.sops.values import (
    KEY_BYTES,
    SecretsFileRefused,
    changed,
    checksum,
    decrypted,
    encrypted,
    is_encrypted,
)
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.wording import shown

_SECTION = "sops"
"""The key of the section that says how the file is encrypted."""
_VERSION = "3.9.0"
"""The version of the format that is written."""
_OWN_TOOL = "encrypt a file of NAME: value with sops (docs/secrets.md)"

Unwrap = Callable[[str], bytes | None]
"""A function that decrypts the key of a file, which is encrypted with age; returns None if it was not encrypted for
this server's key.
"""


class SopsFiles:
    """Implements `ports.SopsFormat`. `unwrap` raises SecretsLocked if this worker has no key."""

    def __init__(self, unwrap: Unwrap) -> None:
        self._unwrap = unwrap

    def opened(self, text: str) -> dict[str, Secret]:
        """Returns the decrypted values by name, if the file is complete and unchanged; otherwise raises
        SecretsFileRefused.
        """
        values, about = _read(text)
        key = self._key_of(about)
        found = {name: decrypted(value, key, f"{name}:") for name, value in values.items()}
        _require_whole(about, [data for _, data in found.values()], key)
        return {name: Secret(_as_text(name, kind, data)) for name, (kind, data) in found.items()}

    def written(self, values: Mapping[str, Secret], recipients: Sequence[str]) -> str:
        """Returns the text of a file with these values."""
        if _SECTION in values:
            raise SecretsFileRefused(
                f"no secret in a file of sops can have the name {_SECTION}", hint="give it another name"
            )
        key, plain = secrets.token_bytes(KEY_BYTES), {name: value.reveal().encode() for name, value in values.items()}
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {
            "age": [{"recipient": each, "enc": _wrapped(key, each)} for each in recipients],
            "lastmodified": moment,
            "mac": encrypted(checksum(plain.values()).encode(), key, moment),
            "encrypted_regex": ".*",
            "version": _VERSION,
        }
        sealed = {name: encrypted(data, key, f"{name}:") for name, data in plain.items()}
        whole = yaml.safe_dump({**sealed, _SECTION: about}, sort_keys=False, width=2**31, default_flow_style=False)
        return str(whole)

    def _key_of(self, about: Mapping[str, Any]) -> bytes:
        found = about.get("age")
        entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        if not entries:
            raise SecretsFileRefused("the file is not encrypted with age", hint=_OWN_TOOL)
        for entry in entries:
            key = self._unwrap(str(entry.get("enc", "")))
            if key is not None and len(key) == KEY_BYTES:
                return key
        raise SecretsFileRefused(
            "the file is not encrypted to the key of this server",
            hint="norn secrets key prints it: sops rotate --in-place --add-age KEY FILE adds it to the file",
        )


def _read(text: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Returns the encrypted values and the section about them; raises SecretsFileRefused."""
    try:
        found = yaml.BaseLoader(text).get_single_data()  # returns only texts, lists and maps
    except (yaml.YAMLError, RecursionError):
        raise SecretsFileRefused("the file is not YAML", hint=_OWN_TOOL) from None
    if not isinstance(found, dict) or not isinstance(found.get(_SECTION), dict):
        raise SecretsFileRefused("the file was not written by sops", hint=_OWN_TOOL)
    about = found.pop(_SECTION)
    for name, value in found.items():
        if not name.isprintable():
            raise SecretsFileRefused(f"{shown(name)} is not the name of a secret", hint=_OWN_TOOL)
        if not isinstance(value, str):
            raise SecretsFileRefused(f"{name[:128]}: a secret is one text, not a list or a map", hint=_OWN_TOOL)
        if not is_encrypted(value):
            raise SecretsFileRefused(f"{name[:128]}: its value is not encrypted", hint=_OWN_TOOL)
    return found, about


def _require_whole(about: Mapping[str, Any], values: Sequence[bytes], key: bytes) -> None:
    only = about.get("mac_only_encrypted") == "true"
    _, expected = decrypted(str(about.get("mac", "")), key, str(about.get("lastmodified", "")))
    if not hmac.compare_digest(expected, checksum(values, encrypted_only=only).encode()):
        raise changed("a value was added, removed or moved")


def _as_text(name: str, kind: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretsFileRefused(f"{name}: its value is not text", hint="encode it, for instance as base64") from None
    return text.lower() if kind == "bool" else text


def _wrapped(key: bytes, recipient: str) -> str:
    try:
        return sealing.armoured(key, recipient)
    except sealing.NotAKey:
        raise SecretsFileRefused(f"{recipient[:80]} is no public age key", hint="age-keygen -y prints one") from None
