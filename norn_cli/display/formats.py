"""The formats in which data is printed, and the conversion of data into JSON or YAML text."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any

# These control characters must not reach a terminal. In JSON they are written as escapes, which mean the same to every
# parser.
_RAW_CONTROLS = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def dumped(answer: Any, form: Format) -> str:
    """Returns an object as JSON or YAML text that is safe to show."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    if form is Format.YAML:
        import yaml

        return str(yaml.safe_dump(answer, sort_keys=False, allow_unicode=not _RAW_CONTROLS.search(text)))
    return _RAW_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"
