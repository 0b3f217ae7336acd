"""Validates plain values with the model, and converts pydantic's errors into mistakes for people.

A refused value is removed and the rest is validated again. So the rules between fields are checked too, and a user sees
all mistakes at the same time.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.yaml.positions import At, Finding, Path, beneath
from norn_tasks.domain.infraspec.yaml.scalars import described

_STAND_INS = {"app": "app", "role": "worker"}


def validate(value: dict[str, Any], known: Collection[Path] = ()) -> tuple[Infraspec, tuple[Finding, ...]]:
    """Returns the infraspec with the valid fields, and a mistake for each invalid field.

    `known`: paths that were removed because their mistake is already reported. If there are mistakes, the infraspec may
    only be used to check further rules: refused fields have their defaults, and `app` and `role` have placeholders.
    """
    findings: list[Finding] = []
    while True:
        try:
            return Infraspec.model_validate(value), tuple(findings)
        except ValidationError as wrong:
            errors = wrong.errors(include_url=False)
        before = {*known, *(finding.path for finding in findings)}
        findings += [_finding(error) for error in errors if not _follows(error, before)]
        value = _without(value, errors)


def _follows(error: ErrorDetails, known: Collection[Path]) -> bool:
    """Returns True if an error only follows from a known one: it is inside a refused value, or about a removed
    value.
    """
    path = _path(error)
    taken_out = error["type"] == "missing" and any(other[: len(path)] == path for other in known)
    return taken_out or beneath(path, known)


def _finding(error: ErrorDetails) -> Finding:
    path, given = _path(error), error.get("input")
    match error["type"]:
        case "refused":
            said = error["ctx"]
            at = At.KEY if error["loc"][-1] == "[key]" else At.VALUE
            return Finding((*path, *said["at"]), said["message"], said["hint"], at)
        case "missing":
            return Finding(path, "it is missing", f"add a line {path[-1]}: …", At.KEY, seen_at=path[:-1])
        case "tuple_type":
            return Finding(path, f"{described(given)} is not a list", f"write it as {path[-1]}: [a, b]")
        case "extra_forbidden":
            return Finding(path, "there is no such field", "take it out", At.KEY)
        case _:
            return Finding(
                path,
                f"{described(given)} is not a section",
                "write its fields beneath it, indented, each as name: value",
            )


def _path(error: ErrorDetails) -> Path:
    location = error["loc"]
    return location[:-1] if location[-1:] == ("[key]",) else location


def take_out(value: dict[str, Any], path: Path) -> None:
    """Removes the value at a path. If the value is an item of a list, the complete list is removed, so that no index
    changes.
    """
    while path and isinstance(path[-1], int):
        path = path[:-1]
    *outer, last = path
    inner: Any = value
    for part in outer:
        inner = _step(inner, part)
    if isinstance(inner, dict):
        inner.pop(last, None)


def _without(value: dict[str, Any], errors: list[ErrorDetails]) -> dict[str, Any]:
    """Returns a copy without the refused values; a section that lost a required field is removed completely."""
    left = deepcopy(value)
    for error in errors:
        path = _path(error)
        if path[0] in _STAND_INS:
            left[str(path[0])] = _STAND_INS[str(path[0])]
        else:
            take_out(left, path[:-1] if error["type"] == "missing" else path)
    return left if left != value else dict(_STAND_INS)


def _step(value: Any, part: str | int) -> Any:
    if isinstance(value, list) and isinstance(part, int):
        return value[part]
    return value.get(part) if isinstance(value, dict) else None
