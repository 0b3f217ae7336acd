"""The folders and files that are not yet in plain English: `pending.txt` lists them with the rules that they break.

Entries are only removed: an entry without a finding fails the test. `python -m tests.architecture.prose --shrink`
removes such entries. An entry holds for everything below its folder. A line for a class name reads `class Name`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tests.architecture.prose.findings import DOUBLED, Finding

FILE = Path(__file__).with_name("pending.txt")
Entry = tuple[str, str]
"""A folder or file, and the name of a rule. For a class name that is used twice: `class Name` and `DOUBLED`."""


def parse(text: str) -> frozenset[Entry]:
    """Returns the entries of the file."""
    lines = (line.partition(":") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return frozenset((place.strip(), rule.strip()) for place, _, rules in lines for rule in rules.split(","))


PENDING = parse(FILE.read_text())


def allowing(finding: Finding) -> set[Entry]:
    """Returns the entries that would allow a finding: its file and each folder above, or the name of its class."""
    if finding.rule == DOUBLED:
        return {(f"class {finding.found}", DOUBLED)}
    place = PurePosixPath(finding.place)
    return {(str(each), finding.rule) for each in (place, *place.parents)}


def new(findings: Iterable[Finding], pending: frozenset[Entry]) -> list[Finding]:
    """Returns the findings that no entry allows."""
    return [finding for finding in findings if pending.isdisjoint(allowing(finding))]


def done(findings: Iterable[Finding], pending: frozenset[Entry]) -> list[Entry]:
    """Returns the entries that have no finding any longer."""
    return sorted(pending.difference(*(allowing(finding) for finding in findings)))


def shrunk(text: str, gone: Iterable[Entry]) -> str:
    """Returns the text of pending.txt without the entries in `gone`; blank lines stay, so that git can merge two such
    changes.
    """
    out, removed = [], set(gone)
    for line in text.splitlines():
        place, colon, rules = line.partition(":")
        if line.startswith("#") or not colon:
            out.append(line)
            continue
        left = [rule.strip() for rule in rules.split(",") if (place.strip(), rule.strip()) not in removed]
        out += [f"{place}: {', '.join(left)}"] if left else []
    return "\n".join(out) + "\n"
