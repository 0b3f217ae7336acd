"""Which fields there are, read off the model: for refusing unknown ones, for hints, and for the test of the docs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.places import At, Finding, Path
from norn_tasks.domain.infraspec.sections import Section
from norn_tasks.domain.wording import closest

REFUSED: dict[Path, tuple[str, str]] = {
    ("repo", "webhookSecret"): (
        "it is refused: a secret in a spec shows everywhere",
        "take it out; webhooks are not there yet: deploy with `norn deploy`",
    )
}


@cache
def fields_of(section: type[Section]) -> dict[str, type[Section] | None]:
    """Return the names of a section's fields as a file spells them, each with the section it holds, if any."""
    return {info.alias or name: _section_in(info.annotation) for name, info in section.model_fields.items()}


@cache
def field_paths() -> tuple[str, ...]:
    """List every field that holds a value: `app`, `build.dockerfile`, `volumes[].mountPath`."""
    return tuple(_paths(Infraspec, ""))


def unknown_keys(value: dict[str, Any], section: type[Section] = Infraspec, path: Path = ()) -> Iterator[Finding]:
    """Yield a finding for every key that no field has."""
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
    return f"did you mean {elsewhere[namesake]}?" if namesake else f"here may be: {', '.join(fields_of(section))}"


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
