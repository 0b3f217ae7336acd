"""No file over 300 lines, no function over 40, no folder over 15 modules; and every module has a docstring."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, functions, modules, tree

FILE, FUNCTION, FOLDER = 300, 40, 15
GROWS_BY_DESIGN = {ROOT / "norn_tasks" / "store" / "migrations" / "versions"}


def oversized(path: Path) -> list[str]:
    """Returns a line for the module, and for each of its functions, that is too long; docstrings and comments count."""
    size = len(path.read_text().splitlines())
    found = [f"{path.name}: {size} lines"] if size > FILE else []
    for function in functions(tree(path)):
        size = (function.end_lineno or function.lineno) - function.lineno + 1
        if size > FUNCTION:
            found.append(f"{path.name}:{function.lineno} {function.name}: {size} lines")
    return found


def crowded(paths: Iterable[Path]) -> list[str]:
    """Returns the folders that hold more than FOLDER modules, each with its number of modules."""
    modules_of = Counter(path.parent for path in paths if path.name != "__init__.py")
    return [f"{folder.name}: {count} modules" for folder, count in modules_of.items() if count > FOLDER]


def test_nothing_is_too_long() -> None:
    scripts = (ROOT / "deploy").rglob("*.py")
    assert [line for path in (*modules(), *scripts) for line in oversized(path)] == []


def test_no_folder_is_a_flat_list() -> None:
    assert crowded(path for path in modules() if path.parent not in GROWS_BY_DESIGN) == []


@pytest.mark.parametrize("count", [FOLDER, FOLDER + 1])
def test_a_flat_folder_is_caught(count: int) -> None:
    assert len(crowded(Path(f"folder/m{number}.py") for number in range(count))) == (count > FOLDER)


def test_every_module_opens_with_a_docstring() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(tree(path))]
    assert silent == []


@pytest.mark.parametrize("size", [FILE, FILE + 1])
def test_a_long_file_is_caught(tmp_path: Path, size: int) -> None:
    long = tmp_path / "long.py"
    long.write_text('"""Long."""\n' + "x = 1\n" * (size - 1))
    assert len(oversized(long)) == (size > FILE)


@pytest.mark.parametrize("size", [FUNCTION, FUNCTION + 1])
def test_a_long_function_is_caught(tmp_path: Path, size: int) -> None:
    long = tmp_path / "long.py"
    long.write_text("def f():\n" + '    """Doc\n\n    doc."""\n' + "    # why\n" * (size - 5) + "    x = 1\n")
    assert len(oversized(long)) == (size > FUNCTION)
