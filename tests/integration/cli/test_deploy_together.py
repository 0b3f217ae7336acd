"""`norn deploy` of a directory with several infraspecs: all apps are deployed in a fixed order, even if one of them
fails.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from norn_cli.uploads.ignoring import Ignored
from norn_cli.uploads.packing import pack
from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, JobScript, Norn, problem

APPS = ("shop", "jobs")


@pytest.fixture
def shop(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of `shop` and `jobs`, which is the current directory."""
    directory = home / "shop"
    directory.mkdir()
    (directory / "infraspec.yaml").write_text("app: shop\nrole: worker\n")
    (directory / "infraspec.background.yaml").write_text("app: jobs\nrole: worker\n")
    (directory / "Dockerfile").write_text("FROM busybox\n")
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def server(norn: Norn, shop: Path) -> Norn:
    """A server that has neither app yet."""
    revision = pack(shop, Ignored(shop, ()), 2**20).revision
    norn.on("GET", "/api/version", {"version": "1", "commit": None, "api": "1", "source_max": 2**20})
    for app in APPS:
        fresh = shapes.app(app, role="worker", source="none", origin=None, forge={"state": "unforged", "error": None})
        norn.on("GET", f"/api/apps/{app}", problem(404, "app_not_found", f"there is no app {app}"))
        norn.on("PUT", f"/api/apps/{app}", Answer(fresh, 201))
        norn.on("PUT", f"/api/apps/{app}/source", Answer({"revision": revision, "files": 3, "size": 80}, 201))
        norn.on("POST", f"/api/apps/{app}/forge", Answer(shapes.accepted(kind="forge"), 202))
        norn.on("POST", f"/api/apps/{app}/deploy", Answer(shapes.accepted(), 202))
    JobScript(norn, shapes.job("succeeded", shapes.step(1, "clone-source")))
    return norn


def changes(norn: Norn) -> list[str]:
    return [
        f"{asked.method} {asked.path.removeprefix('/api/apps/')}"
        for asked in norn.asked
        if asked.method in ("PUT", "POST")
    ]


PREPARED = ["PUT shop", "PUT jobs", "PUT shop/source", "PUT jobs/source", "POST shop/forge", "POST jobs/forge"]


@pytest.mark.parametrize("words", [["deploy"], ["deploy", "."], ["deploy", "../shop"]])
def test_every_app_is_prepared_before_the_first_is_deployed(server: Norn, run, words: list[str]) -> None:
    assert run(*words).exit_code == 0
    assert changes(server) == [*PREPARED, "POST shop/deploy", "POST jobs/deploy"]


def test_all_apps_get_the_same_archive(server: Norn, run) -> None:
    run("deploy")
    sent = {server.last("PUT", f"/api/apps/{app}/source").body for app in APPS}
    assert len(sent) == 1


def test_a_spec_with_mistakes_starts_nothing(server: Norn, run) -> None:
    mistake = {"file": "infraspec.yaml", "line": 2, "column": 7, "field": "role", "message": "no", "hint": ""}
    server.on("PUT", "/api/apps/jobs", problem(422, "spec_invalid", "1 mistake", mistakes=[mistake]))
    assert "infraspec.background.yaml:2:7: role: no" in run("deploy").stderr
    assert changes(server) == ["PUT shop", "PUT jobs"]


def test_an_app_whose_deploy_is_refused_holds_up_no_other(server: Norn, run) -> None:
    server.on("POST", "/api/apps/shop/deploy", problem(409, "conflict", "job 3 of shop needs attention"))
    result = run("deploy")
    assert (result.exit_code, changes(server)[-1]) == (6, "POST jobs/deploy")
    assert "1 of 2 apps were not deployed: shop: job 3 of shop needs attention" in result.stderr


def test_one_of_them_can_be_named(server: Norn, run) -> None:
    run("deploy", ".", "--app", "jobs")
    assert changes(server) == ["PUT jobs", "PUT jobs/source", "POST jobs/forge", "POST jobs/deploy"]


def test_apps_of_a_repository_are_deployed_together_at_a_ref(server: Norn, run) -> None:
    run("deploy", "--ref", "v2")
    assert changes(server) == ["POST shop/deploy", "POST jobs/deploy"]
    assert server.last("POST", "/api/apps/jobs/deploy").json == {"ref": "v2"}


def test_the_jobs_are_one_list_as_data(server: Norn, run) -> None:
    assert len(json.loads(run("deploy", "-o", "json").stdout)["items"]) == 2


def test_detached_all_jobs_are_printed(server: Norn, run) -> None:
    assert [job["job"] for job in json.loads(run("deploy", "--detach", "-o", "json").stdout)["items"]] == [7, 7]


def test_two_specs_of_one_app_are_refused(server: Norn, run, shop: Path) -> None:
    (shop / "infraspec.background.yaml").write_text("app: shop\nrole: worker\n")
    result = run("deploy")
    assert (result.exit_code, changes(server)) == (2, [])
    assert "infraspec.yaml and infraspec.background.yaml both say app: shop" in result.stderr


def test_apply_takes_all_of_a_directory(server: Norn, run) -> None:
    assert run("apply", "-o", "name").stdout == "shop\njobs\n"
