"""Removes credentials from text for a log, because a program's output may repeat its input."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")


def without_credentials(text: str) -> str:
    """Returns the text with the user and the password in every URL replaced: `https://***@host/`."""
    return _CREDENTIALS.sub("***", text)
