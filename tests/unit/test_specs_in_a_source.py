"""Which file of a source is the spec of an app, if the source holds several."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.domain.errors import InvalidRequest, SpecInvalid
from norn_tasks.domain.infraspec import spec_names
from norn_tasks.steps.sources.specs import apps_in, spec_in
from tests import factories

JOBS = factories.spec("jobs", "worker", "")


def put(source: Path, **files: str) -> Path:
    for name, text in files.items():
        (source / {"main": "infraspec.yaml"}.get(name, f"infraspec.{name}.yaml")).write_text(text)
    return source


def worker(app: str, replicas: int = 2) -> str:
    return f"app: {app}\nrole: worker\nreplicas: {replicas}\n"


def test_only_two_forms_of_names_are_specs() -> None:
    names = ["infraspec.b.yaml", "infraspec.yaml", "infraspec..yaml", "xinfraspec.yaml", "infraspec.a.b.yaml", "a.yaml"]
    assert spec_names(names) == ["infraspec.yaml", "infraspec.b.yaml"]


def test_the_spec_is_the_one_that_names_the_app_whatever_its_file_is_called(tmp_path: Path) -> None:
    put(tmp_path, main=worker("shop"), other=worker("jobs", 7))
    assert spec_in(tmp_path, JOBS).replicas == 7


def test_the_mistakes_of_another_app_are_not_this_ones(tmp_path: Path) -> None:
    put(tmp_path, main="app: shop\nrole: nonsense\n", other=worker("jobs"))
    assert (spec_in(tmp_path, JOBS).app, apps_in(tmp_path)) == ("jobs", ("jobs", "shop"))


def test_its_own_mistakes_are_reported_with_the_name_of_its_file(tmp_path: Path) -> None:
    put(tmp_path, main=worker("shop"), other="app: jobs\nrole: nonsense\n")
    with pytest.raises(SpecInvalid, match=r"infraspec\.other\.yaml:2:7"):
        spec_in(tmp_path, JOBS)


def test_two_files_of_one_app_are_refused(tmp_path: Path) -> None:
    put(tmp_path, one=worker("jobs"), two=worker("jobs"))
    with pytest.raises(InvalidRequest, match=r"infraspec\.one\.yaml and infraspec\.two\.yaml both say app: jobs"):
        spec_in(tmp_path, JOBS)


def test_a_source_of_another_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="says app: shop, and the app is jobs"):
        spec_in(put(tmp_path, main=worker("shop")), JOBS)


def test_a_source_without_a_spec_of_the_app_keeps_the_registered_one(tmp_path: Path) -> None:
    assert spec_in(put(tmp_path, other=worker("shop")), JOBS) is JOBS


def test_a_link_is_no_spec(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(worker("jobs", 7))
    (tmp_path / "infraspec.jobs.yaml").symlink_to("elsewhere")
    assert spec_in(tmp_path, JOBS) is JOBS
