"""Reads fields of objects from the API or YAML; a field that is missing, null or of another type counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

KubeObject = Mapping[str, Any]


def at(thing: object, *path: str) -> Any:
    """Returns the value at a path of keys, or None."""
    for key in path:
        if not isinstance(thing, Mapping):
            return None
        thing = thing.get(key)
    return thing


def text(thing: object, *path: str) -> str:
    """Returns the string at a path, or an empty string; a number or a boolean is converted to text."""
    found = at(thing, *path)
    return found.strip() if isinstance(found, str) else str(found) if isinstance(found, bool | int | float) else ""


def number(thing: object, *path: str, default: int = 0) -> int:
    """Returns the whole number at a path, or the default."""
    found = at(thing, *path)
    if isinstance(found, str) and found.isascii() and found.isdecimal():
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def parts(thing: object, *path: str) -> list[KubeObject]:
    """Returns the mappings of the list at a path."""
    found = at(thing, *path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def mapping(thing: object, *path: str) -> KubeObject:
    """Returns the mapping at a path, or an empty mapping."""
    found = at(thing, *path)
    return found if isinstance(found, Mapping) else {}


def moment(thing: object, *path: str) -> datetime | None:
    """Returns the time at a path: a text in RFC 3339, or a value that YAML has parsed. A time without a zone is
    in UTC.
    """
    found = at(thing, *path)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found.strip())
        except ValueError:
            return None
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def condition(thing: object, kind: str) -> KubeObject:
    """Returns the condition of this type in the status of an object, or an empty mapping."""
    return next((each for each in parts(thing, "status", "conditions") if text(each, "type") == kind), {})


def holds(found: KubeObject, value: bool) -> bool:
    """Returns true if a condition has this status; an absent or unknown condition is neither true nor false."""
    return text(found, "status").lower() == str(value).lower()


def name_of(thing: object) -> str:
    """Returns the name of an object."""
    return text(thing, "metadata", "name")


def uid_of(thing: object) -> str:
    """Returns the uid of an object."""
    return text(thing, "metadata", "uid")


def created(thing: object) -> datetime | None:
    """Returns when an object was created."""
    return moment(thing, "metadata", "creationTimestamp")


def deleted(thing: object) -> bool:
    """Returns true for an object that is being deleted."""
    return bool(at(thing, "metadata", "deletionTimestamp"))


def observed(thing: object) -> bool:
    """Returns True if the object has a status that refers to its current spec."""
    seen = number(thing, "status", "observedGeneration")
    return bool(at(thing, "status")) and seen >= number(thing, "metadata", "generation")
