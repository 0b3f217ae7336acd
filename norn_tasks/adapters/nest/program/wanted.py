"""Checks a client's description of a run before anything is made for it.

The nest writes numbers into files of the kernel, where some numbers have a special meaning: -1 bytes mean no limit.
"""

from __future__ import annotations

import math
from typing import Any

_NETWORKS = ("none", "bridge")
_LEAST_MEMORY, _MOST_MEMORY = 2**20, 2**50


def checked(request: dict[str, Any]) -> dict[str, Any]:
    """Returns the request; raises ValueError that names the first wrong field, or KeyError if one is missing."""
    for field in ("name", "image", "hostname"):
        plain_name(request[field])
    tests = {
        "app": isinstance(request["app"], str),
        "owner": isinstance(request["owner"], str),
        "fence": _is_whole(request["fence"]),
        "outlives": isinstance(request["outlives"], bool),
        "argv": request["argv"] is None or (isinstance(request["argv"], list) and all(map(_is_text, request["argv"]))),
        "env": _is_table(request["env"]),
        "hosts": _is_table(request["hosts"]),
        "memory": _is_whole(request["memory"]) and _LEAST_MEMORY <= request["memory"] <= _MOST_MEMORY,
        "cpus": _is_number(request["cpus"]) and 0 < request["cpus"] <= 4096,
        "network": request["network"] in _NETWORKS,
        "stdin": _is_whole(request["stdin"]) and 0 <= request["stdin"] < _MOST_MEMORY,
    }
    for field, fine in tests.items():
        if not fine:
            raise ValueError(f"{field} of the run is not valid")
    return request


def plain_name(name: Any) -> str:
    """Returns a name, if it cannot be a path; raises ValueError."""
    if not isinstance(name, str) or not name or not all(each.isalnum() or each in "-_" for each in name):
        raise ValueError("a name may have only letters, digits, - and _")
    return name


def _is_text(value: Any) -> bool:
    """Returns True for a text that can be an argument or a variable of a program."""
    return isinstance(value, str) and "\0" not in value


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
