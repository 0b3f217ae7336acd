"""Finds references to files that do not exist: `*.md`, `*.py`, and paths below `docs/`.

A page names a file from its own folder or from the root, everything else from the root; a module may be named by the
end of its path (`roles/cron.py`). A placeholder is written `<name>.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.architecture.prose.text import Kind, Prose
from tests.architecture.source import ROOT

_REFERENCE = re.compile(
    r"(?<![\w/@:.~>*-])((?:\.{1,2}/)*(?:[\w.-]+/)*[\w.-]*\w\.(?:md|py)|docs/[\w./-]*[\w/])(?![\w/*<-])"
)
_FOREIGN = {"app.py", "main.py", "server.py", "worker.py", "manage.py"}
"""Files of an app, in examples of its infraspec."""
_SKIPPED = {".git", ".venv", ".norn", "node_modules", "__pycache__"}


@cache
def _ends() -> frozenset[str]:
    found: set[str] = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in _SKIPPED]
        inside = Path(folder).relative_to(ROOT).parts
        for name in names:
            parts = (*inside, name)
            found.update("/".join(parts[start:]) for start in range(len(parts)))
    return frozenset(found)


def _exists(prose: Prose, reference: str) -> bool:
    if (ROOT / reference).exists() or (prose.kind is Kind.PAGE and (prose.path.parent / reference).exists()):
        return True
    return reference.endswith(".py") and (reference in _FOREIGN or reference in _ends())


def missing(prose: Prose) -> Iterator[tuple[int, str]]:
    """Yields line and name of each file that a piece of prose names and that does not exist."""
    for match in _REFERENCE.finditer(prose.raw):
        if not _exists(prose, match[1]):
            yield prose.line_of(match.start()), match[1]
