"""Until Norn is released, no document says to install it from a package index: the package `norn` there belongs to
another project.
"""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import ROOT, modules

PATTERNS = ("*.md", "docs/**/*.md", "deploy/**/*", "examples/**/*.md")
PAGES = [page for pattern in PATTERNS for page in ROOT.glob(pattern) if page.is_file() and page.suffix != ".pyc"]
_FROM_AN_INDEX = re.compile(r"(pip|pipx|uv( pip| tool)?) install( -\S+)* ['\"]?norn\b")


def test_norn_is_installed_from_a_checkout() -> None:
    wrong = [str(file.relative_to(ROOT)) for file in [*PAGES, *modules()] if _FROM_AN_INDEX.search(file.read_text())]
    assert wrong == []


@pytest.mark.parametrize("line", ["pip install norn", "pip install 'norn[worker]'", "uv tool install -q norn"])
def test_the_words_that_would_are_known(line: str) -> None:
    assert _FROM_AN_INDEX.search(line)
