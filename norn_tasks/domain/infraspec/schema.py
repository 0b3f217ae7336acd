"""The JSON Schema of an infraspec, for editors. It is made from the model, and has the rules of the roles as
conditions.
"""

from __future__ import annotations

from typing import Any

from norn_tasks.domain.infraspec.kinds import JsonSchema
from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.roles import REQUIRED, USES
from norn_tasks.domain.infraspec.words import Role


def json_schema() -> JsonSchema:
    """Returns the schema (2020-12); it accepts all that `parse` accepts, and refuses most of what `parse` refuses."""
    drawn: JsonSchema = _as_written(Infraspec.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **drawn,
        "title": "infraspec.yaml",
        "allOf": [_condition(role) for role in Role],
    }


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
