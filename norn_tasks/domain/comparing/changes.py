"""Finds the differences between two infraspecs: each field that differs, with both values, as `norn plan`
prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.effect import OF_A_DEPLOY


class Part(StrEnum):
    """The part of an app that a field describes."""

    WORKLOAD = "workload"
    SCHEDULE = "schedule"
    ROUTE = "route"
    VOLUME = "volume"
    SERVICE = "service"
    SOURCE = "source"


class Verb(StrEnum):
    """The command that puts a change into effect."""

    FORGE = "forge"
    DEPLOY = "deploy"


@dataclass(frozen=True)
class SpecChange:
    """A field whose value differs between two specs; `before` or `after` is None if that spec does not set it."""

    field: str
    part: Part
    before: str | None
    after: str | None
    by: Verb


_PARTS = {
    **dict.fromkeys(("schedule", "timezone", "catchup", "startDeadline", "concurrency", "jitter"), Part.SCHEDULE),
    **dict.fromkeys(("hosts", "port"), Part.ROUTE),
    **dict.fromkeys(("services", "migrations"), Part.SERVICE),
    **dict.fromkeys(("build", "repo", "image"), Part.SOURCE),
    "volumes": Part.VOLUME,
}
_NAMED = "volumes"
"""The list whose entries have names: an entry is compared with the entry of the same name in the other spec."""


def changes(before: Infraspec, after: Infraspec) -> tuple[SpecChange, ...]:
    """Returns the fields in which two specs differ, in the order of the spec, spelled as in the file."""
    old, new = (
        dict(_leaves(spec.model_dump(mode="json", by_alias=True, exclude_none=True))) for spec in (before, after)
    )
    fields = [*old, *(field for field in new if field not in old)]
    return tuple(_change(field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field))


def _change(field: str, before: str | None, after: str | None) -> SpecChange:
    top = field.partition(".")[0]
    by = Verb.DEPLOY if top in OF_A_DEPLOY else Verb.FORGE
    return SpecChange(field, _PARTS.get(top, Part.WORKLOAD), before, after, by)


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        field = prefix + name
        if field == _NAMED:
            each = {volume["name"]: {k: v for k, v in volume.items() if k != "name"} for volume in each}
        if isinstance(each, Mapping):
            yield from _leaves(each, f"{field}.")
        else:
            yield field, each if isinstance(each, str) else json.dumps(each)
