"""Finds calls in a module's syntax tree that could start a shell, or start a program outside the one module
that may.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.architecture.source import tree

FORBIDDEN = re.compile(
    r"os\.(system|popen|(exec|spawn)[lv]p?e?|posix_spawnp?|startfile)|pty\.spawn|(commands|subprocess)\.get(status)?output"
    r"|asyncio\.create_subprocess_\w+|(builtins\.)?(eval|exec)|pickle\.(loads?|Unpickler)|yaml\.(unsafe_|full_)?load"
)
_SHELL = re.compile(r"(.*/)?(ba|da|a|z|k|c|tc|fi)?sh")
_COMMAND = re.compile(r"-\w*c\w*")
_LINE = re.compile(rf"\s*{_SHELL.pattern}\s+{_COMMAND.pattern}(\s.*)?", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A call that was found, and the dotted name of the function that contains it (empty at the top of the module)."""

    line: int
    where: str
    what: str


def found(path: Path) -> list[Found]:
    """Returns every call in a module that starts a shell or program, by line."""
    module = tree(path)
    names = _names(module)
    return sorted(
        (Found(node.lineno, where, what) for node, where in _walk(module, "") for what in _told(node, names)),
        key=lambda each: each.line,
    )


def _walk(node: ast.AST, where: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yields every statement and expression with the name of the function that contains it."""
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inside = f"{where}.{child.name}".lstrip(".") if named else where  # type: ignore[attr-defined]
        if isinstance(child, ast.expr | ast.stmt):
            yield child, inside
        yield from _walk(child, inside)


def _names(module: ast.Module) -> dict[str, str]:
    """Returns the full name that each imported name refers to."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names.update({each.asname: each.name for each in node.names if each.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return names


def _told(node: ast.expr | ast.stmt, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Attribute | ast.Name):
        yield from _forbidden(_whole(node, names))
    elif isinstance(node, ast.ImportFrom):
        everything = any(each.name == "*" for each in node.names)
        yield from [f"{node.module}.*"] if everything and node.module in ("os", "subprocess") else []
    elif isinstance(node, ast.Call):
        yield from ("shell=" for each in node.keywords if each.arg == "shell" and not _is(each.value, False))
        yield from _fetched(node, names)
        yield from ("sh -c" for text in _split(node) if _LINE.fullmatch(text))
    elif isinstance(node, ast.List | ast.Tuple):
        words = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
        yield from ("sh -c" for one, two in pairwise(words) if _matches(_SHELL, one) and _matches(_COMMAND, two))


def _forbidden(whole: str) -> list[str]:
    return [whole] if FORBIDDEN.fullmatch(whole) else []


def _fetched(call: ast.Call, names: dict[str, str]) -> list[str]:
    """Returns the names that a `getattr` call reads from a module."""
    if ast.unparse(call.func) != "getattr" or len(call.args) < 2 or not isinstance(call.args[1], ast.Constant):
        return []
    return _forbidden(f"{_whole(call.args[0], names)}.{call.args[1].value}")


def _whole(node: ast.expr, names: dict[str, str]) -> str:
    first, dot, rest = ast.unparse(node).partition(".")
    return names.get(first, first) + dot + rest


def _split(call: ast.Call) -> Iterator[str]:
    """Yields the texts that a call splits into words."""
    told = [call.func.value] if isinstance(call.func, ast.Attribute) and call.func.attr == "split" else []
    told += call.args if ast.unparse(call.func).endswith("split") else []
    yield from (each.value for each in told if isinstance(each, ast.Constant) and isinstance(each.value, str))


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _matches(pattern: re.Pattern[str], word: object) -> bool:
    return isinstance(word, str) and pattern.fullmatch(word) is not None
