"""Reads the mail server from the setting NORN_SMTP_URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from norn_tasks.domain.secret import Secret

_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class MailServer:
    """A server through which Norn sends mail."""

    host: str
    """Its host name, which its certificate must contain."""
    port: int
    """Its port."""
    tls: bool
    """True if the connection uses TLS from the start (smtps); False if it changes to TLS with STARTTLS (smtp)."""
    user: str = ""
    """The account with which Norn logs in; empty if no login is needed."""
    password: Secret = field(default_factory=lambda: Secret(""))
    """The account's password."""


def mail_server(text: str) -> MailServer:
    """Reads `smtps://user:password@host:465` or `smtp://…`. Raises a ValueError that does not quote the text."""
    try:
        parts = urlsplit(text)
        host, port, user, password = parts.hostname, parts.port, parts.username, parts.password
    except ValueError:
        raise ValueError("it is not a URL; a special character of the password is written as %XX") from None
    if parts.scheme not in _PORTS or not host or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("write smtps://user:password@host:465, or smtp://… for STARTTLS")
    if (user is None) != (password is None) or not _plain(host, user or "", password or ""):
        raise ValueError("it needs both a user and a password, or none; a special character is written as %XX")
    account, word = unquote(user or ""), unquote(password or "")
    if not (account + word).isascii():
        raise ValueError("its user and password may have ASCII characters only: a login cannot send others")
    return MailServer(host, port or _PORTS[parts.scheme], parts.scheme == "smtps", account, Secret(word))


def _plain(*texts: str) -> bool:
    return all(unquote(text).isprintable() for text in texts)
