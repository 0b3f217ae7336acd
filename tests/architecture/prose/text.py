"""Finds prose: docstrings, comments and messages of modules, comments of scripts, and pages, with their lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from pathlib import Path

from tests.architecture.prose.rules import BLOCK
from tests.architecture.source import ROOT, modules

PAGES = ("*.md", "docs/**/*.md", "deploy/**/*.md", "examples/**/*.md")
SCRIPTS = ("Makefile", "docker-compose.yml", "deploy/*", "examples/*/*", "examples/*/www/cgi-bin/*")
_DATA = (".pgm", ".txt", ".csv")
_CODE = re.compile(r"``.*?``|`[^`]*`", re.DOTALL)
_QUOTED = re.compile(r'"[^"\n]{1,200}"')
_MARKUP = re.compile(r"^(?:\s*(?:[*+-]|\d+\.|>|#+)\s)|\||\*\*|\]\([^)]*\)|<!--.*?-->", re.MULTILINE | re.DOTALL)
_SQL = re.compile(r"\b(?:SELECT|UPDATE|INSERT|DELETE|WITH|FROM|WHERE|CASE|JOIN|EXISTS|ALTER|CREATE|CONFLICT)\b")
_HEADING = re.compile(r"^#+ .*$", re.MULTILINE)
_FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
_PRAGMA = re.compile(r"#\s*(?:noqa|type: ignore|fmt:|pragma|!|shellcheck)")
_COMMENT = re.compile(r"(?:^|(?<=\s))#+\s.*", re.MULTILINE)


class Kind(Enum):
    """Where a piece of prose is."""

    DOCSTRING = auto()
    FUNCTION = auto()
    """A docstring that says what a function does."""
    COMMENT = auto()
    MESSAGE = auto()
    """A string of at least three words that is neither a docstring nor SQL: a sentence, a hint, a help text, a
    log line.
    """
    PAGE = auto()


@dataclass(frozen=True)
class Prose:
    """A piece of prose. `raw` is the text as written; `text` has the same length, and everything that is not prose is
    blanked.
    """

    path: Path
    line: int
    kind: Kind
    raw: str
    text: str

    def line_of(self, position: int) -> int:
        """Returns the number of the line in the file that has this position of the text."""
        return self.line + self.raw.count("\n", 0, position)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "_", match[0])


def _of_code(path: Path, line: int, kind: Kind, raw: str) -> Prose:
    return Prose(path, line, kind, raw, _QUOTED.sub(_blank, _CODE.sub(_blank, raw)))


def _is_help(node: ast.AST) -> bool:
    named = (ast.unparse(each) for each in getattr(node, "decorator_list", ()))
    return any("command" in name or "property" in name for name in named)


def _statements(node: ast.AST) -> Iterator[tuple[ast.AST, int, ast.stmt]]:
    """Yields every statement below a node, with the node that contains the statement and its position in that node's
    body.
    """
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for index, each in enumerate(getattr(node, part, ())):
            yield node, index, each
            yield from _statements(each)


def _docstrings(path: Path, tree: ast.Module) -> Iterator[Prose]:
    for node, index, statement in _statements(tree):
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            does = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and index == 0 and not _is_help(node)
            yield _of_code(path, value.lineno, Kind.FUNCTION if does else Kind.DOCSTRING, value.value)


def _messages(path: Path, tree: ast.Module, docstrings: set[int]) -> Iterator[Prose]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno not in docstrings:
            text = node.value
            if len(text.split()) >= 3 and not _SQL.search(text):
                yield _of_code(path, node.lineno, Kind.MESSAGE, text)


def _comments(path: Path, source: str) -> Iterator[Prose]:
    block: list[tuple[int, str]] = []
    tokens = tokenize.generate_tokens(io.StringIO(source).readline) if "#" in source else ()
    for token in tokens:
        if token.type != tokenize.COMMENT or _PRAGMA.match(token.string):
            continue
        if block and token.start[0] != block[-1][0] + 1:
            yield _of_code(path, block[0][0], Kind.COMMENT, "\n".join(text for _, text in block))
            block = []
        block.append((token.start[0], token.string.lstrip("#! ")))
    if block:
        yield _of_code(path, block[0][0], Kind.COMMENT, "\n".join(text for _, text in block))


def _of_script(path: Path, raw: str) -> Iterator[Prose]:
    for match in _COMMENT.finditer(raw):
        if not _PRAGMA.match(match[0]):
            yield _of_code(path, raw.count("\n", 0, match.start()) + 1, Kind.COMMENT, match[0].lstrip("# "))


def _mark(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", BLOCK if not match[0].startswith(("**", "](")) else " ", match[0])


def page(path: Path, raw: str) -> Prose:
    """Returns the prose of a page, without its fenced blocks, code, headings and addresses of links."""
    text = raw
    for pattern in (_FENCED, _CODE, _HEADING, _QUOTED):
        text = pattern.sub(_blank, text)
    return Prose(path, 1, Kind.PAGE, raw, _MARKUP.sub(_mark, text))


@dataclass(frozen=True)
class Source:
    """A file that was read: its prose, and the classes that it defines with their lines."""

    prose: tuple[Prose, ...]
    classes: tuple[tuple[str, int], ...] = ()


@cache
def read(path: Path) -> Source:
    """Reads a module or a page, once."""
    raw = path.read_text()
    if path.suffix == ".md":
        return Source((page(path, raw),))
    if path.suffix != ".py":
        return Source(tuple(_of_script(path, raw)))

    tree = ast.parse(raw, str(path))
    classes = tuple((each.name, each.lineno) for _, _, each in _statements(tree) if isinstance(each, ast.ClassDef))
    docstrings = tuple(_docstrings(path, tree))
    messages = _messages(path, tree, {each.line for each in docstrings})
    return Source((*docstrings, *_comments(path, raw), *messages), classes)


def sources() -> list[Path]:
    """Lists every module of the three packages, every page, and every script with comments."""
    found = {path for pattern in (*PAGES, *SCRIPTS) for path in ROOT.glob(pattern)}
    return [*modules(), *sorted(path for path in found if path.is_file() and path.suffix not in _DATA)]
