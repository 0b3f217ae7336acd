"""Finds the keys of a job's arguments and facts that code spells as strings, in Python or in SQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from norn_tasks.domain.jobs import facts, requests
from tests.architecture.source import ROOT, modules, tree

HISTORY = ROOT / "norn_tasks" / "store" / "migrations" / "versions"
"""Migrations are not checked: they contain the keys that were valid when they were written."""
_COLUMNS = ("args", "facts")
_METHODS = ("get", "pop", "setdefault")
_HOLDERS = (
    *facts.KINDS, *requests.KINDS.values(), requests.Override, requests.GitSource, requests.UploadSource,
    requests.DirectorySource,
)  # fmt: skip
KEYS = frozenset(field.name for holder in _HOLDERS for field in fields(holder))
_PYTHON = re.compile(r"[a-z_]+")
_PATH = re.compile(rf"\b(?:{'|'.join(_COLUMNS)})\b((?:\s*(?:->>?|\?)\s*'[^']*')+)")
_MADE = re.compile(rf"jsonb_build_object\(\s*'({'|'.join(sorted(KEYS))})'")


def spelled(path: Path) -> list[str]:
    """Returns `file:line: key` for each key of `args` or `facts` that a module writes as a string."""
    found = {*_in_python(tree(path)), *_in_sql(tree(path))}
    return [f"{path.name}:{line}: {key}" for line, key in sorted(found)]


def searched() -> list[Path]:
    """Returns the modules in which no key may be spelled."""
    return [path for path in modules() if path.parent != HISTORY]


def _in_python(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Subscript) and _is_column(node.value):
            yield from _constants([node.slice])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            yield from _constants(node.args[:1] if _is_column(node.func.value) else [])
        if isinstance(node, ast.Compare) and any(map(_is_column, node.comparators)):
            yield from _constants([node.left])
        if isinstance(node, ast.keyword) and node.arg in _COLUMNS and isinstance(node.value, ast.Dict):
            yield from _constants(node.value.keys)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            named = [ast.unparse(target) for target in node.targets]
            yield from _constants(node.value.keys if "args" in named else [])


def _is_column(node: ast.expr) -> bool:
    """Returns True for `args`, `x.args` and `x["args"]`, and the same for facts. The facts of an error (`error.facts`)
    are something else: for them it returns False.
    """
    if isinstance(node, ast.Name):
        return node.id in _COLUMNS
    if isinstance(node, ast.Attribute):
        return node.attr in _COLUMNS and not (isinstance(node.value, ast.Name) and node.value.id == "error")
    return isinstance(node, ast.Subscript) and getattr(node.slice, "value", None) in _COLUMNS


def _constants(nodes: list[ast.expr] | list[ast.expr | None]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _PYTHON.fullmatch(node.value):
            yield node.lineno, node.value


def _in_sql(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = _text(node)
            paths = [key for path in _PATH.findall(text) for key in re.findall(r"'(\w+)'", path)]
            made = _MADE.findall(text) if any(column in text for column in _COLUMNS) else []
            yield from ((node.lineno, key) for key in paths + made)


def _text(node: ast.expr) -> str:
    """Returns the text of a string or an f-string, with `{}` in place of every expression that is not a string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"
