"""Messages as the chat services expect them: ntfy, Slack (and services that read its format), and Discord.

Some characters have a special meaning in each service. A message may quote an app's output, so Norn escapes them;
otherwise the output could create a link, or mention everybody in a channel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.header import Header
from typing import Any

from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.message import AlertMessage, Level

_HIDDEN = "\u200b"
"""A character without width. A mention that contains it is only text."""
_CALLS = re.compile(r"@(?=channel|here|everyone|all\b)", re.IGNORECASE)
_DISCORD_MARKS = re.compile(r"([\\*_~`|>#\[\]()<@])")
_NTFY = {
    Level.CRITICAL: ("5", "rotating_light"), Level.WARNING: ("4", "warning"), Level.RESOLVED: ("3", "white_check_mark"),
    Level.TEST: ("3", "wave"),
}  # fmt: skip
"""The priority of each level, and its tag, which ntfy shows as a picture."""
_COLOURS = {Level.CRITICAL: 0xD32F2F, Level.WARNING: 0xF9A825, Level.RESOLVED: 0x2E7D32, Level.TEST: 0x1976D2}
_NTFY_BYTES = 4000
"""The most bytes of a text: ntfy turns a text of more than 4096 bytes into a file."""
_DISCORD_TITLE, _DISCORD_TEXT = 250, 4000
"""The most characters of a title and of a text; Discord refuses more than 256 and 4096."""


@dataclass(frozen=True)
class Post:
    """The body and the headers of a request."""

    content: bytes
    """The body."""
    headers: Mapping[str, str]
    """The headers."""


def chat_post(kind: NotificationFormat, words: AlertMessage) -> Post:
    """Returns the request that sends the message to the service."""
    return _POSTS[kind](words)


def _ntfy(words: AlertMessage) -> Post:
    priority, tag = _NTFY[words.level]
    text = words.text.encode()[:_NTFY_BYTES].decode("utf-8", "ignore")
    return Post(
        text.encode(),
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": _encoded(words.title),
            "Priority": priority,
            "Tags": tag,
        },
    )


def _encoded(title: str) -> str:
    """Returns a header's value in ASCII (RFC 2047), in encoded words of at most 75 characters."""
    return title if title.isascii() and "=?" not in title else Header(title, "utf-8").encode(linesep="").strip()


def _slack(words: AlertMessage) -> Post:
    title, text = _slack_text(words.title), _slack_text(words.text)
    attachment = {"fallback": title, "color": f"#{_COLOURS[words.level]:06x}", "text": text, "mrkdwn_in": []}
    return _json({"text": title, "mrkdwn": False, "unfurl_links": False, "attachments": [attachment]})


def _slack_text(text: str) -> str:
    """Returns the text without mentions; the three characters that Slack interprets in every text are escaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub(f"@{_HIDDEN}", escaped)


def _discord(words: AlertMessage) -> Post:
    embed = {
        "title": _cut(_DISCORD_MARKS.sub(r"\\\1", words.title), _DISCORD_TITLE),
        "description": _cut(_DISCORD_MARKS.sub(r"\\\1", words.text), _DISCORD_TEXT),
        "color": _COLOURS[words.level],
    }
    return _json({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _json(body: Mapping[str, Any]) -> Post:
    return Post(json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"})


_POSTS: Mapping[NotificationFormat, Callable[[AlertMessage], Post]] = {
    NotificationFormat.NTFY: _ntfy,
    NotificationFormat.SLACK: _slack,
    NotificationFormat.DISCORD: _discord,
}
