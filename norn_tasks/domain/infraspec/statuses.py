"""HTTP statuses as a spec names them: `200`, `200-399`, `200-299,401`."""

from __future__ import annotations

import re

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

_ONE = "[1-5][0-9]{2}(?:-[1-5][0-9]{2})?"
PATTERN = f"{_ONE}(?:,{_ONE}){{0,9}}"


def written(text: str) -> str:
    """Returns the text if it is a list of statuses and ranges of them."""
    if not re.fullmatch(PATTERN, text, re.ASCII) or any(low > high for low, high in _ranges(text)):
        raise InvalidRequest(
            f"{shown(text)} is not a status or a range of them", hint="write one such as 200 or 200-299"
        )
    return text


def among(code: int, text: str) -> bool:
    """Returns True if the text names this status, alone or within a range."""
    return any(low <= code <= high for low, high in _ranges(text))


def _ranges(text: str) -> list[tuple[int, int]]:
    ends = [part.partition("-") for part in text.split(",")]
    return [(int(low), int(high or low)) for low, _, high in ends]
