"""Each decision has a number of its own, in the name of its file and in its title."""

from __future__ import annotations

import re
from collections import Counter

from tests.architecture.source import ROOT

PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_no_two_decisions_have_one_number() -> None:
    counted = Counter(page.name[:3] for page in PAGES)
    assert [number for number, count in counted.items() if count > 1] == []


def test_the_title_of_a_decision_begins_with_its_number() -> None:
    wrong = [page.name for page in PAGES if not re.match(rf"# {page.name[:3]}\b", page.read_text())]
    assert wrong == []
