"""The JSON Schema for editors, and the field reference: both agree with `parse`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from norn_tasks.domain.infraspec import field_paths, json_schema

ROOT = Path(__file__).parents[2]
VALID = sorted((ROOT / "tests" / "corpus" / "specs" / "valid").iterdir())
EDITOR = Draft202012Validator(json_schema())

# Values that an editor's own YAML parser changes, so that no schema can accept them as the texts they are.
NULL_AS_TEXT = {"strings-stay-strings"}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("file", [file for file in VALID if file.stem not in NULL_AS_TEXT], ids=lambda file: file.stem)
def test_the_schema_accepts_what_parse_accepts(file: Path) -> None:
    assert [error.message for error in EDITOR.iter_errors(yaml.safe_load(file.read_text(encoding="utf-8-sig")))] == []


@pytest.mark.parametrize(
    "text",
    [
        "app: x",
        "{app: x, role: daemon}",
        "{app: X, role: worker}",
        "{app: x, role: worker, zzz: 1}",
        "{app: x, role: webserver}",
        "{app: x, role: cron}",
        "{app: x, role: worker, port: 80}",
        "{app: x, role: function, schedule: '@daily'}",
        "{app: x, role: webserver, port: '80'}",
        "{app: x, role: worker, port: null}",
        "{app: x, role: worker, env: {NORN_X: y}}",
        "{app: x, role: worker, env: {1a: y}}",
        "{app: x, role: worker, resources: {memory: 5x}}",
        "{app: x, role: worker, services: {kv: {}}}",
        "{app: x, role: worker, build: {test_stage: y}}",
    ],
)
def test_the_schema_refuses_what_a_schema_can(text: str) -> None:
    assert not EDITOR.is_valid(yaml.safe_load(text))


def test_everything_in_the_schema_has_a_description() -> None:
    drawn = json_schema()
    sections = [drawn, *drawn["$defs"].values()]
    fields = [field for section in sections for field in section["properties"].values() if "$ref" not in field]
    assert all(part["description"] for part in (*sections, *fields))


def test_the_reference_lists_every_field_and_no_other() -> None:
    text = (ROOT / "docs" / "infraspec.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Za-z.\[\]]+)` \|", text, re.MULTILINE)) == set(field_paths())
