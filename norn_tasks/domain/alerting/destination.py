"""Destinations of notifications: their addresses, and the format that each of them expects."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import urlsplit

from norn_tasks.domain.errors import InvalidRequest

_CLEAN = re.compile(r"[\x21-\x7e]{1,2048}")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_MAILTO = "mailto:"
_MOST_MAILBOXES = 20


class NotificationFormat(StrEnum):
    """The format of the notifications for a destination."""

    JSON = "json"
    """A signed webhook for programs."""
    NTFY = "ntfy"
    SLACK = "slack"
    DISCORD = "discord"
    MAIL = "mail"


_HOSTS = {
    NotificationFormat.SLACK: ("hooks.slack.com", "hooks.slack-gov.com"),
    NotificationFormat.DISCORD: ("discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"),
    NotificationFormat.NTFY: ("ntfy.sh",),
}


def format_of(url: str, wanted: NotificationFormat | None, *, field: str) -> NotificationFormat:
    """Returns the wanted format; if it is None, the format that the address implies.

    Raises InvalidRequest if the wanted format does not fit the address.
    """
    if (wanted is NotificationFormat.MAIL) != is_mail(url) and wanted is not None:
        raise InvalidRequest(
            f"{field}: {wanted} does not go to this address",
            hint="the format of a mailto: address is mail; others are for an https address",
        )
    if is_mail(url):
        return NotificationFormat.MAIL
    return wanted or _implied(url)


def _implied(url: str) -> NotificationFormat:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    found = next((kind for kind, hosts in _HOSTS.items() if host in hosts), NotificationFormat.JSON)
    if found is NotificationFormat.DISCORD and parts.path.rstrip("/").endswith("/slack"):
        return NotificationFormat.SLACK
    return found


def address(text: str, *, field: str, private: bool) -> str:
    """Returns the text if it is a valid address for notifications: `mailto:` with mail addresses, or a URL that Norn
    may call. Raises InvalidRequest otherwise.
    """
    return _mailto(text, field) if is_mail(text) else outside_url(text, field=field, private=private)


def is_mail(url: str) -> bool:
    """Returns True for a `mailto:` address."""
    return url.lower().startswith(_MAILTO)


def mailboxes(url: str) -> tuple[str, ...]:
    """Returns the addresses that a `mailto:` names."""
    return tuple(url[len(_MAILTO) :].split(","))


def mailbox(text: str) -> str:
    """Returns the text if it is a plain mail address, in which no header or command can be hidden."""
    if not _MAILBOX.fullmatch(text) or len(text) > 254:
        raise ValueError("it is not a plain address such as ops@example.org")
    return text


def _mailto(text: str, field: str) -> str:
    found = mailboxes(text)
    if len(found) > _MOST_MAILBOXES:
        raise InvalidRequest(f"{field}: it names {len(found)} addresses", hint=f"at most {_MOST_MAILBOXES}")
    try:
        return _MAILTO + ",".join(map(mailbox, found))
    except ValueError:
        hint = "write mailto:ops@example.org, and more addresses after commas"
        raise InvalidRequest(f"{field}: it is not a mail address", hint=hint) from None


def outside_url(text: str, *, field: str, private: bool) -> str:
    """Returns the text if Norn may call it: an https URL, or with `private`, an http URL as well.

    `private`: the operator allows private addresses. Raises InvalidRequest otherwise.
    """
    schemes = ("https", "http") if private else ("https",)
    try:
        parts = urlsplit(text)
        known = _CLEAN.fullmatch(text) and parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise InvalidRequest(
            f"{field}: it is not an https address", hint="write one such as https://hooks.example/norn"
        )
    if "@" in parts.netloc or parts.fragment:
        raise InvalidRequest(
            f"{field}: it holds a password or a fragment", hint="leave out what is before @ and after #"
        )
    return text


def shown_url(url: str) -> str:
    """Returns an address as lists show it: without the part after the host, which is often a secret itself.

    A `mailto:` address is shown completely.
    """
    if is_mail(url):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/" + ("…" if len(parts.path) > 1 or parts.query else "")
