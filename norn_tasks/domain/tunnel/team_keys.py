"""Parses the public keys of a Cloudflare Access team, which Cloudflare publishes and with which it signs login
tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST = 20
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,1400}", re.ASCII)
_ID = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)


@dataclass(frozen=True)
class TeamKey:
    """A public RSA key: its id, and its two numbers in base64url (RFC 7518)."""

    kid: str
    n: str
    e: str


def keys_of(document: object) -> tuple[TeamKey, ...]:
    """Returns the RSA keys in a key set (RFC 7517); an empty tuple if the value is not a key set."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = (_key(each) for each in (listed if isinstance(listed, list) else [])[:_MOST] if isinstance(each, dict))
    return tuple(key for key in found if key is not None)


def _key(each: Mapping[str, Any]) -> TeamKey | None:
    if each.get("kty") != "RSA" or each.get("alg", "RS256") != "RS256" or each.get("use", "sig") != "sig":
        return None
    kid, n, e = (each.get(name) for name in ("kid", "n", "e"))
    if not (isinstance(kid, str) and isinstance(n, str) and isinstance(e, str)):
        return None
    return TeamKey(kid, n, e) if _ID.fullmatch(kid) and _NUMBER.fullmatch(n) and _NUMBER.fullmatch(e) else None


def issuer_of(team: str) -> str:
    """Returns the address that issues the tokens of a team. `team` may be a name, a host or an address."""
    if not team:
        return ""
    if "://" in team:
        return team.rstrip("/")
    return f"https://{team if '.' in team else f'{team}.cloudflareaccess.com'}"
