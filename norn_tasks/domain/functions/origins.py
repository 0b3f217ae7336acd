"""The origins in a function's field `cors`: pages of these origins may call the function from a browser."""

from __future__ import annotations

import re

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

ANY_ORIGIN = "*"
_ORIGIN = r"https?://(?:[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,20}|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?"
PATTERN = rf"\*|{_ORIGIN}"
_DEFAULT_PORTS = (("http://", ":80"), ("https://", ":443"))


def origin(text: str) -> str:
    """Returns the text if it is `*` or an origin as a browser sends it; raises InvalidRequest for any other text."""
    usual = any(text.startswith(scheme) and text.endswith(port) for scheme, port in _DEFAULT_PORTS)
    if usual or not re.fullmatch(PATTERN, text, re.ASCII):
        raise InvalidRequest(
            f"{shown(text)} is not an origin (scheme and host in lower case, without path and usual port)",
            hint="write one such as https://shop.example.com, or * for all pages",
        )
    return text
