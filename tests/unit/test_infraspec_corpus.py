"""The corpus of specs: unusual ones that must be accepted, hostile ones that must be refused by the right field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import decode, from_json, parse
from norn_tasks.domain.infraspec.yaml.text import read_document

SPECS = Path(__file__).parents[1] / "corpus" / "specs"
VALID = sorted((SPECS / "valid").iterdir())
HOSTILE: list[Any] = [
    pytest.param(case, id=f"{file.stem}: {case['why']}")
    for file in sorted((SPECS / "hostile").iterdir())
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_an_unusual_spec_is_accepted_and_survives_its_row(file: Path) -> None:
    spec = parse(decode(file.read_bytes()))
    assert from_json(spec.to_json()) == spec


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_spec_is_refused_by_the_right_field(case: dict[str, str]) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse(case["text"])
    found = {mistake.field: f"{mistake.line}:{mistake.column}" for mistake in reversed(refused.value.mistakes)}
    assert case["field"] in found
    assert found[case["field"]] == case.get("at", found[case["field"]])


@pytest.mark.parametrize("case", [case for case in HOSTILE if "never" in case.values[0]])
def test_a_secret_in_a_refused_spec_is_not_repeated(case: dict[str, str]) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse(case["text"])
    assert case["never"] not in " ".join(f"{mistake} {mistake.hint}" for mistake in refused.value.mistakes)


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_both_parsers_of_yaml_read_the_same(file: Path) -> None:
    text = decode(file.read_bytes())
    assert read_document(text, "x", yaml.SafeLoader) == read_document(text, "x", yaml.CSafeLoader)
