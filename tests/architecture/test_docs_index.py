"""The manual's index leads to every page, and no link in any page leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIRECTORIES = {".": "*.md", "docs": "**/*.md", "deploy": "*.md", "examples": "**/*.md"}
PAGES = [page for directory, pages in DIRECTORIES.items() for page in sorted((ROOT / directory).glob(pages))]


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_index_leads_to_each_page(page: Path) -> None:
    assert page.name == "README.md" or page.name in links(ROOT / "docs" / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []
