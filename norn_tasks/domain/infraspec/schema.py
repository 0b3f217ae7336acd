"""The JSON Schema of an infraspec, for editors. It is made from the model, and has the rules of the roles as
conditions.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

from norn_tasks.domain.infraspec.kinds import JsonSchema
from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.roles import REQUIRED, USES
from norn_tasks.domain.infraspec.sections import Section
from norn_tasks.domain.infraspec.words import Role


def json_schema() -> JsonSchema:
    """Returns the schema (2020-12); it accepts all that `parse` accepts, and refuses most of what `parse` refuses."""
    drawn: JsonSchema = _as_written(_described(Infraspec.model_json_schema(by_alias=True)))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **drawn,
        "title": "infraspec.yaml",
        "allOf": [_condition(role) for role in Role],
    }


def _described(drawn: JsonSchema) -> JsonSchema:
    """Adds the docstring of each field as its description.

    pydantic can do this itself, but it would read and parse the source of every section when Norn's processes start.
    """
    sections = {each.__name__: each for each in _subclasses(Section)}
    for name, part in {**drawn["$defs"], Infraspec.__name__: drawn}.items():
        if (section := sections.get(name)) is not None:
            for field, text in _docstrings(section).items():
                part["properties"][section.model_fields[field].alias]["description"] = text
    return drawn


def _subclasses(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield each
        yield from _subclasses(each)


def _docstrings(section: type[Section]) -> dict[str, str]:
    """Returns the docstring below each field, by the field's name."""
    body = cast(ast.ClassDef, ast.parse(inspect.getsource(section)).body[0]).body
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }  # fmt: skip


def _condition(role: Role) -> JsonSchema:
    cannot_use = {name: False for name, use in USES.items() if role not in use.roles}
    must_have = [name for name, _, _ in REQUIRED.get(role, ())]
    is_role = {"properties": {"role": {"const": role.value}}, "required": ["role"]}
    return {"if": is_role, "then": {"properties": cannot_use, "required": must_have}}


def _as_written(drawn: Any) -> Any:
    """Removes titles, and the `null` with which the model represents a missing field, because a file contains
    neither.
    """
    if isinstance(drawn, list):
        return [_as_written(item) for item in drawn if item != {"type": "null"}]
    if not isinstance(drawn, dict):
        return drawn
    kept = {key: _as_written(item) for key, item in drawn.items() if not _is_noise(key, item)}
    choices = kept.pop("anyOf", None)
    if choices and len(choices) == 1:
        return kept | choices[0]
    return kept | ({"anyOf": choices} if choices else {})


def _is_noise(key: str, item: Any) -> bool:
    return (key == "title" and isinstance(item, str)) or (
        key == "default" and (item is None or isinstance(item, dict | list))
    )
