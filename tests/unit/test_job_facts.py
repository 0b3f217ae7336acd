"""The facts that steps store: one class for each, kept in one JSON object."""

from __future__ import annotations

from dataclasses import fields

import pytest

from norn_tasks.domain.jobs import facts
from norn_tasks.domain.jobs.facts import KINDS, BuiltImage, Fact, Facts, KeptImages, SecretVersions, StepPlan, to_json

LEARNED = (StepPlan(("clone", "build")), BuiltImage("sha256:1", "k"), SecretVersions({"KEY": 2}))


def test_facts_come_back_from_the_json_that_they_were_kept_in() -> None:
    assert set(map(repr, Facts.from_json(to_json(LEARNED)).known)) == set(map(repr, LEARNED))


def test_a_fact_of_which_a_key_is_missing_is_not_known() -> None:
    assert Facts.from_json({"image_id": "sha256:1"}).get(BuiltImage) is None


def test_a_key_that_no_fact_has_is_left_out() -> None:
    assert Facts.from_json({"colour": "red"}) == Facts()


def test_facts_of_a_version_without_stages_are_read() -> None:
    assert Facts.from_json({"keep_images": ["a"]}).require(KeptImages) == KeptImages(("a",))


def test_a_fact_that_is_required_and_not_known_is_an_error() -> None:
    with pytest.raises(LookupError, match="BuiltImage"):
        Facts().require(BuiltImage)


def test_every_fact_is_read_back() -> None:
    assert set(KINDS) == set(Fact.__subclasses__())


def test_no_two_facts_share_a_key() -> None:
    keys = [field.name for kind in KINDS for field in fields(kind)]
    assert len(keys) == len(set(keys))


def test_the_key_that_sql_reads_is_a_field() -> None:
    assert facts.IMAGE_ID in [field.name for field in fields(BuiltImage)]
