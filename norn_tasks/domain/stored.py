"""Converts frozen dataclasses to JSON for database rows, and back; types are checked when JSON is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from norn_tasks.domain.errors import JobUnreadable

T = TypeVar("T")
Json = dict[str, Any]
"""A JSON object, as it is in a row or in the API."""
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
"""One pydantic adapter for each dataclass, cached because creating one takes a thousand times as long as using it."""


def dump(value: object) -> Json:
    """Returns the fields of a dataclass as JSON."""
    return dict(_adapter(type(value)).dump_python(value, mode="json"))


def load(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Returns the dataclass that the JSON describes, and ignores unknown keys; raises JobUnreadable if a field is
    missing or has the wrong type.
    """
    try:
        loaded: T = _adapter(kind).validate_python(dict(stored))
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors()}))
        raise JobUnreadable(
            f"the job cannot be read, perhaps because another version of Norn accepted it: {wrong}",
            hint="run the same version of Norn everywhere, and ask again",
        ) from None
    return loaded


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
