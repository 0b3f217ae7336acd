"""The API changes nothing by itself: every change goes through `dispatch`, and its store calls only read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.source import ROOT, tree

WRITES = re.compile(r"\b(?:INSERT INTO|DELETE FROM|UPDATE \w+ )|\bFOR UPDATE\b")
WRITING_CALLS = {"insert", "update", "delete", "publish"}
ALLOWED = {("tokens", "lookup"), ("sessions", "lookup")}
"""The two functions that the API may call although they write: both note, at most once a minute, that a token or a
session was used.
"""


def writers(module: ast.Module) -> set[str]:
    """Returns the functions of a store module that write, by themselves or by another function of the module."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    statements = {name for name, text in _constants(module).items() if WRITES.search(text)}
    found = {name for name, node in functions.items() if _writes(node, statements)}
    while more := {name for name, node in functions.items() if name not in found and _names(node) & found}:
        found |= more
    return found


def _constants(module: ast.Module) -> dict[str, str]:
    return {
        target.id: ast.unparse(node.value)
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _writes(function: ast.FunctionDef, statements: set[str]) -> bool:
    called = {
        node.func.id for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    texts = (
        node.value for node in ast.walk(function) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    body = [text for text in texts if text != ast.get_docstring(function, clean=False)]
    return bool(called & WRITING_CALLS or _names(function) & statements or any(map(WRITES.search, body)))


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def changes(path: Path) -> list[str]:
    """Returns the calls with which a module of the API calls store functions that write."""
    module = tree(path)
    stores = {
        alias.asname or alias.name: file
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("norn_tasks.store")
        for alias in node.names
        if (file := ROOT / (node.module or "").replace(".", "/") / f"{alias.name}.py").exists()
    }
    return [
        f"{path.name}:{node.lineno} {node.value.id}.{node.attr}"
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in stores
        and (node.value.id, node.attr) not in ALLOWED
        and node.attr in writers(tree(stores[node.value.id]))
    ]


def test_the_api_writes_through_dispatch_alone() -> None:
    assert [line for path in sorted((ROOT / "norn_api").rglob("*.py")) for line in changes(path)] == []


def test_a_planted_write_is_caught(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "from norn_tasks.store.cron import schedules\n"
        "from norn_tasks.store.access import tokens\n"
        "def view(tx):\n    schedules.pause(tx, 'blog', 'joe', '')\n    tokens.listed(tx)\n    tokens.lookup(tx, '')\n"
    )
    assert changes(planted) == ["planted.py:4 schedules.pause"]
