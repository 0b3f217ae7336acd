"""Docstrings, comments and pages are in plain English (CONTRIBUTING, "Prose"). For each rule there is a text that
breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.prose.findings import DOUBLED, MISSING, Finding, in_classes, in_files
from tests.architecture.prose.names import doubled, glossary
from tests.architecture.prose.pending import PENDING, done, new, parse, shrunk
from tests.architecture.prose.rules import RULES
from tests.architecture.prose.text import sources
from tests.architecture.source import modules


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return in_files(sources()) + in_classes(modules())


def test_nothing_new_breaks_a_rule(findings: list[Finding]) -> None:
    assert "\n".join(str(each) for each in new(findings, PENDING)) == ""


def test_no_pending_entry_is_left_without_a_finding(findings: list[Finding]) -> None:
    assert done(findings, PENDING) == [], "python -m tests.architecture.prose --shrink"


# --- texts that break a rule ---

PLANTED = {
    "answers": ["Answers the app.", "Ends it, and answers whether it ran.", "It waits. Answers the rest."],
    "told": ["Says what it was told.", "Tells the caller.", "A sign is telling."],
    "so many": ["Waits at most so long.", "Keeps so many.", "There is so\nmuch of it."],
    "any more": ["Nobody reads any more.", "It is not read any\n    more."],
    "who": [
        "Ends it. Who asks again gets it.", "It ends; who asks again gets it.", "Waits for who asks.",
        "Hides it from whoever reads.",
    ],
    "what": ["Reads it. What is left stays.", "Reads it; what is left stays.", "Ends.\n\nWhatever is left stays."],
    "stands": ["Returns how an app stands.", "It stood there.", "Where it is standing."],
    "way out": ["A sentence with a way out.", "Nothing is in its way.", "It gives another one the way."],
    "by hand": ["Started by hand.", "Started by\nhand."],
    "meanwhile": ["It goes on meanwhile.", "It begins anew."],
    "word": ["It ended without a word.", "Only the engine's word counts.", "Its last word.", "A word out of a list."],
    "come to": ["The end that it came to.", "It comes to an error."],
    "for it": ["The code speaks for it."],
    "on its own account": ["It waits on its own account."],
    "metaphor": ["The ear of beat.", "Nudges a class.", "The file is laid in again.", "An admin deed."],
    "first word": ["What is it?", "Who asks?", "Answer whether it ran."],
    "verb first": ["True if it ran.", "The end.", "It ends."],
    MISSING: ["Described in nowhere.md.", "Described in docs/nowhere/.", "Called by `steps/nowhere.py`."],
}  # fmt: skip

PLAIN = (
    "Returns what it understands, if the standard allows that, and 5 more than any other.",
    "Waits for it, asks for it, and answers 503 to the caller, who may try again.",
    "Renews the lease with a heartbeat. Is it late? What happens then? The sweeper acts.",
    "Stands in for the engine: a stand-in in the way that Docker does it, always on its way.",
    "Parses the first word of the command line, a password, and the next word of a Dockerfile.",
    "Writes `told` as ``any more``; the page quotes \"whoever is told\". See docs/README.md and `norn_cli/main.py`.",
    "Says who did it and what it cost. The user is one who may. Handled in docs/decisions/.",
    "Names tests/architecture/prose/text.py, https://example.org/nowhere.md, `<name>.py` and domain/schedule.py.",
)  # fmt: skip


def planted(tmp_path: Path, docstring: str) -> list[Finding]:
    module = tmp_path / "planted.py"
    module.write_text(f'"""Opens."""\n\n\ndef planted():\n    {docstring!r}\n')
    return in_files([module])


def violations() -> Iterator[tuple[str, str]]:
    return ((rule, text) for rule, texts in PLANTED.items() for text in texts)


@pytest.mark.parametrize(("rule", "text"), list(violations()))
def test_a_planted_violation_is_found(tmp_path: Path, rule: str, text: str) -> None:
    assert rule in [finding.rule for finding in planted(tmp_path, text)]


def test_each_rule_has_a_planted_violation() -> None:
    assert {rule.name for rule in RULES} <= set(PLANTED)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_english_is_no_violation(tmp_path: Path, text: str) -> None:
    assert [str(each) for each in planted(tmp_path, text)] == []


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ('"""Opens.\n\nIt is told."""\n', 3),
        ('"""Opens."""\n\nLIMIT = 1\n"""It is told."""\n', 4),
        ('"""Opens."""\n\nLIMIT = 1  # it is\n# told\n', 4),
        ('"""Opens."""\n\n\nclass Waiting:\n    limit = 1\n    """It is told."""\n', 6),
    ],
)
def test_it_is_found_in_docstrings_of_values_and_in_comments_too(tmp_path: Path, code: str, line: int) -> None:
    module = tmp_path / "planted.py"
    module.write_text(code)
    assert [(finding.rule, finding.line) for finding in in_files([module])] == [("told", line)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# A page\n\nIt is told.\n", [3]),
        ("| a | b |\n|---|---|\n| x | What is left stays. |\n", [3]),
        ("* one\n* What is left stays.\n", [2]),
        ("## What is told\n\n| What | why |\n\n```\nIt is told.\n```\n\nRead [this](told.md). What is it?\n", []),
    ],
)
def test_it_is_found_in_pages_but_not_in_quotations(tmp_path: Path, text: str, lines: list[int]) -> None:
    page = tmp_path / "planted.md"
    page.write_text(text)
    (tmp_path / "told.md").touch()
    assert [finding.line for finding in in_files([page])] == lines


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ('error("it was told to stop")', ["message: told"]),
        ('hint = f"{app} does not run any more"', ["message: any more"]),
        ('text("SELECT told FROM told WHERE told")', []),
        ('word = "told"', []),
    ],
)
def test_it_is_found_in_messages_but_not_in_sql(tmp_path: Path, code: str, rules: list[str]) -> None:
    module = tmp_path / "planted.py"
    module.write_text(code + "\n")
    assert [finding.rule for finding in in_files([module])] == rules


def test_it_is_found_in_comments_of_scripts(tmp_path: Path) -> None:
    script = tmp_path / "planted"
    script.write_text("#!/bin/sh\necho told#told\necho 1 # it is told\n")
    assert [finding.line for finding in in_files([script])] == [3]


def test_a_class_name_that_is_used_twice_is_found_unless_the_glossary_lists_it(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("class OneOff: ...\nclass Wanted: ...\nclass Only" + name[:3] + ": ...\n")
    found = doubled(sorted(tmp_path.glob("*.py")), glossary())
    assert [(path.name, line, name) for path, line, name in found] == [("one.py", 2, "Wanted"), ("two.py", 2, "Wanted")]


# --- entries of pending.txt may only be removed ---


def _finding(place: str, rule: str = "told", found: str = "") -> Finding:
    return Finding(Path(place), 1, rule, found, "")


def test_an_entry_allows_its_rule_below_its_folder_and_nothing_else() -> None:
    findings = [_finding("a/b/c.py"), _finding("ab/c.py"), _finding("a/b/c.py", "stands")]
    assert new(findings, parse("a: told")) == findings[1:]


def test_a_pending_class_is_allowed_by_its_name() -> None:
    findings = [_finding("a.py", DOUBLED, "Told"), _finding("a.py", DOUBLED, "Wanted")]
    assert new(findings, parse(f"class Told: {DOUBLED}")) == findings[1:]


def test_an_entry_without_a_finding_must_go() -> None:
    text = "# why\na: told, stands\n\nb: told\n"
    gone = done([_finding("a/b.py")], parse(text))
    assert gone == [("a", "stands"), ("b", "told")]
    assert shrunk(text, gone) == "# why\na: told\n\n"
