"""Forbids in the source: broad `except` clauses that hide an error, untyped values, and names of the developers'
machines. For shells see test_shells.py.
"""

from __future__ import annotations

import ast
import re
import subprocess

from tests.architecture.source import ROOT, modules, tree


def test_broad_excepts_are_fewer_than_one_in_a_thousand_lines() -> None:
    broad = 0
    lines = 0
    for path in modules():
        lines += len(path.read_text().splitlines())
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                broad += caught in ("everything", "Exception", "BaseException")
    assert broad <= lines // 1000


def test_no_broad_except_hides_an_error() -> None:
    """Each broad `except` keeps a thread or a job alive, and passes the error on to the log or to the user."""
    hidden = [
        f"{path}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
        if not _passes_on(node)
    ]
    assert hidden == []


def _passes_on(handler: ast.ExceptHandler) -> bool:
    used = {node.id for node in ast.walk(handler) if isinstance(node, ast.Name)}
    called = {node.attr for node in ast.walk(handler) if isinstance(node, ast.Attribute)}
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return raises or bool(called & {"exception", "print_exc", "format_exc"}) or handler.name in used


def test_no_type_is_ignored_without_saying_which() -> None:
    silent = [str(path) for path in modules() if re.search(r"# type: ignore(?!\[)", path.read_text())]
    assert silent == []


def test_no_file_names_a_machine_of_ours() -> None:
    """Lockfiles and documents are searched too: a clone must work on machines that cannot reach the developers'
    ones.
    """
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = re.compile(r"/wor[k]/|\.librar[y]|pypi\.or[g]|registry\.npmj[s]|deb\.debian\.or[g]|/tmp/nor[n]/")
    named = [
        name
        for name in listed
        if (ROOT / name).is_file() and forbidden.search((ROOT / name).read_text("utf-8", "replace"))
    ]
    assert named == []
