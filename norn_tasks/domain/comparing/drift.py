"""Drift: changes in a cluster that Norn did not make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 200
"""The most characters of a value in a drift."""


@dataclass(frozen=True)
class Drift:
    """One field whose value is not the one that Norn set; `wanted` or `found` is None if there is no value."""

    thing: str
    """The object or the replica, such as `Deployment web` or `replica r3-1`."""
    field: str
    """The field, by its path in the object; empty if the object itself is missing or should not exist."""
    wanted: str | None
    """The value that Norn set."""
    found: str | None
    """The value that the field has now."""


def drifts(thing: str, wanted: object, found: object, path: str = "") -> Iterator[Drift]:
    """Yields the fields in which two JSON values differ; lists whose entries all have a `name` are compared by name."""
    wanted, found = _by_name(wanted), _by_name(found)
    if isinstance(wanted, Mapping) or isinstance(found, Mapping):
        wanted, found = _fields(wanted), _fields(found)
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            yield from drifts(thing, wanted.get(key), found.get(key), f"{path}.{key}" if path else str(key))
    elif not _same(wanted, found):
        yield Drift(thing, path, _text(wanted), _text(found))


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"": value} if value else {}


def _same(wanted: object, found: object) -> bool:
    """Returns True if both values are equal, or if both are empty or missing, because servers leave out values such as
    0 and false.
    """
    return wanted == found or not (wanted or found)


def _by_name(value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str) and value and all(_named(each) for each in value):
        return {each["name"]: {key: part for key, part in each.items() if key != "name"} for each in value}
    return value


def _named(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("name"), str)


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
