"""Removes credentials from text for a log: a program's output may repeat its input."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")


def without_credentials(text: str) -> str:
    """Returns the text with user and password of every address replaced: `https://***@host/`."""
    return _CREDENTIALS.sub("***", text)
