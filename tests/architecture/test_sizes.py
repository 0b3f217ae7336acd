"""No file over 300 lines of code, no function over 40; and every module opens with its place in the story."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, code_lines, functions, modules, tree

FILE, FUNCTION = 300, 40


def oversized(path: Path) -> list[str]:
    """Answers what of a module is too long."""
    lines = code_lines(path)
    found = [f"{path.name}: {len(lines)} lines of code"] if len(lines) > FILE else []
    for function in functions(tree(path)):
        size = len(lines & set(range(function.lineno, (function.end_lineno or 0) + 1)))
        if size > FUNCTION:
            found.append(f"{path.name}:{function.lineno} {function.name}: {size} lines of code")
    return found


def test_nothing_is_too_long() -> None:
    assert [line for path in modules() for line in oversized(path)] == []


def test_every_module_opens_with_a_docstring() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(tree(path))]
    assert silent == []


def test_a_long_file_is_caught(tmp_path: Path) -> None:
    long = tmp_path / "long.py"
    long.write_text('"""Long."""\n' + "x = 1\n" * (FILE + 1))
    assert oversized(long) == ["long.py: 301 lines of code"]


@pytest.mark.parametrize("size", [FUNCTION, FUNCTION + 1])
def test_a_long_function_is_caught(tmp_path: Path, size: int) -> None:
    long = tmp_path / "long.py"
    long.write_text("def f():\n" + '    """Doc\n\n    doc."""\n' + "    x = 1  # why\n\n" * (size - 1))
    assert len(oversized(long)) == (size > FUNCTION)
