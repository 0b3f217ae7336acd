"""Takes secrets out of text before it goes to a log: what a program prints may repeat what it was given."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")


def without_credentials(text: str) -> str:
    """Answers the text with user and password of every address replaced: `https://***@host/`."""
    return _CREDENTIALS.sub("***", text)
