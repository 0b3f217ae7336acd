"""The fields of an infraspec, read from its model. They are used to find unknown fields, to write hints, and to test
the docs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.sections import Section
from norn_tasks.domain.infraspec.yaml.positions import At, Finding, Path
from norn_tasks.domain.wording import closest

_MOST = 12
"""The most fields that a hint lists, because nobody reads more."""

REFUSED: dict[Path, tuple[str, str]] = {
    ("repo", "webhookSecret"): (
        "it is refused, because specs are shown to many people",
        "take it out; norn webhook create makes a secret and prints it once",
    ),
    ("domains",): ("there is no such field", "hosts.external names a public host; docs/router.md says how to reach it"),
    ("domain",): ("there is no such field", "hosts.external names a public host; docs/router.md says how to reach it"),
    ("build", "args"): ("there is no such field", "write ARG with a default, or ENV, in the Dockerfile"),
    ("processes",): (
        "there is no such field: an app is one process",
        "make an app of each process; they may share files",
    ),
    ("services", "redis"): (
        "there is no such field",
        "write services.kv with a namespace; it is a Valkey, which speaks the same protocol",
    ),
    ("cron",): ("there is no such field", "make an app with role: cron and a schedule"),
    ("suspend",): ("there is no such field", "norn cron pause stops the schedule; deploy: false turns it off"),
    ("environment",): ("there is no such field", "did you mean env?"),
    ("memory",): ("there is no such field", "did you mean resources.memory?"),
}


@cache
def fields_of(section: type[Section]) -> dict[str, type[Section] | None]:
    """Returns the fields of a section as a file spells them, each with the section that it contains, if any."""
    return {info.alias or name: _section_in(info.annotation) for name, info in section.model_fields.items()}


@cache
def field_paths() -> tuple[str, ...]:
    """Returns the paths of all fields that hold a value and are not a section: `app`, `build.dockerfile`,
    `volumes[].mountPath`.
    """
    return tuple(_paths(Infraspec, ""))


def unknown_keys(value: dict[str, Any], section: type[Section] = Infraspec, path: Path = ()) -> Iterator[Finding]:
    """Yields a mistake for every key that is not a field."""
    known = fields_of(section)
    for key, inner in value.items():
        if key not in known:
            message, hint = REFUSED.get((*path, key)) or ("there is no such field", _guess(key, section))
            yield Finding((*path, key), message, hint, At.KEY)
        elif inner_section := known[key]:
            parts = enumerate(inner) if isinstance(inner, list) else [(None, inner)]
            for place, part in parts:
                step = (key,) if place is None else (key, place)
                yield from unknown_keys(part, inner_section, (*path, *step)) if isinstance(part, dict) else ()


def _guess(key: str, section: type[Section]) -> str:
    neighbour = closest(key, fields_of(section))
    if neighbour:
        return f"did you mean {neighbour}?"
    elsewhere = {path.rpartition(".")[2]: path for path in reversed(field_paths())}
    namesake = closest(key, elsewhere)
    if namesake:
        return f"did you mean {elsewhere[namesake]}?"
    known = list(fields_of(section))
    return f"the fields here are: {', '.join(known)}" if len(known) <= _MOST else "docs/infraspec.md lists the fields"


def _paths(section: type[Section], prefix: str) -> Iterator[str]:
    for name, inner in fields_of(section).items():
        if inner is None:
            yield prefix + name
        else:
            listed = str(section.model_fields[_attribute(section, name)].annotation).startswith("tuple")
            yield from _paths(inner, f"{prefix}{name}{'[]' if listed else ''}.")


def _attribute(section: type[Section], alias: str) -> str:
    return next(name for name, info in section.model_fields.items() if info.alias == alias)


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
