"""`norn deploy` of a directory: when an argument is a path, which requests are sent in which order, and the output."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from norn_cli.uploads.ignoring import Ignored
from norn_cli.uploads.packing import pack
from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, JobScript, Norn, problem

SPEC = "app: blog\nrole: worker\n"


@pytest.fixture
def blog(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of `blog`, below the current one."""
    directory = home / "here" / "blog"
    directory.mkdir(parents=True)
    (directory / "infraspec.yaml").write_text(SPEC)
    (directory / "Dockerfile").write_text("FROM busybox\n")
    monkeypatch.chdir(directory.parent)
    return directory


def revision_of(directory: Path) -> str:
    return pack(directory, Ignored(directory, ()), 2**20).revision


@pytest.fixture
def server(norn: Norn, blog: Path) -> Norn:
    """A server that does not have `blog` yet, and accepts it."""
    unforged = {"state": "unforged", "error": None}
    fresh = shapes.app(role="worker", source="none", origin=None, forge=unforged, url=None)
    norn.on("GET", "/api/apps/blog", problem(404, "app_not_found", "there is no app blog"))
    norn.on("PUT", "/api/apps/blog", Answer(fresh, 201))
    norn.on("GET", "/api/version", {"version": "1", "commit": None, "api": "1", "source_max": 2**20})
    norn.on("PUT", "/api/apps/blog/source", Answer({"revision": revision_of(blog), "files": 2, "size": 36}, 201))
    norn.on("POST", "/api/apps/blog/forge", Answer(shapes.accepted(kind="forge"), 202))
    norn.on("POST", "/api/apps/blog/deploy", Answer(shapes.accepted(), 202))
    JobScript(norn, shapes.job("succeeded", shapes.step(1, "clone-source")))
    return norn


def changes(norn: Norn) -> list[tuple[str, str]]:
    return [(asked.method, asked.path) for asked in norn.asked if asked.method in ("PUT", "POST")]


EVERYTHING = [
    ("PUT", "/api/apps/blog"),
    ("PUT", "/api/apps/blog/source"),
    ("POST", "/api/apps/blog/forge"),
    ("POST", "/api/apps/blog/deploy"),
]


@pytest.mark.parametrize("word", ["./blog", "blog", "blog/", "../here/blog"])
def test_a_new_app_is_applied_uploaded_forged_and_deployed(server: Norn, run, word: str) -> None:
    assert run("deploy", word).exit_code == 0
    assert changes(server) == EVERYTHING


@pytest.mark.parametrize("words", [["deploy"], ["deploy", "."]])
def test_in_the_directory_itself_nothing_needs_to_be_typed(server, run, blog, monkeypatch, words) -> None:
    monkeypatch.chdir(blog)
    assert run(*words).exit_code == 0
    assert changes(server) == EVERYTHING


def test_the_upload_is_the_directory(server: Norn, run) -> None:
    run("deploy", "./blog")
    sent = server.last("PUT", "/api/apps/blog/source")
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as opened:
        names = opened.getnames()
    assert (sent.headers["content-type"], names) == ("application/gzip", ["Dockerfile", "infraspec.yaml"])


def test_the_deploy_names_what_was_uploaded(server: Norn, run, blog: Path) -> None:
    run("deploy", "./blog")
    assert server.last("POST", "/api/apps/blog/deploy").json == {"source": revision_of(blog)}


def test_each_step_is_told(server: Norn, run, blog: Path) -> None:
    told = run("deploy", "./blog").stderr.splitlines()
    assert told[:3] == [
        "✔ apply-spec  blog: worker, new",
        "✔ pack-source  2 files, 0.0 KiB",
        f"✔ upload-source  {revision_of(blog)}",
    ]


def test_files_that_usually_hold_secrets_are_named(server: Norn, run, blog: Path) -> None:
    (blog / ".env").write_text("A=1\n")
    (blog / ".env.example").write_text("A=\n")
    told = run("deploy", "./blog").stderr
    assert "note: .env is uploaded, and COPY . . puts it into the image" in told
    assert ".env.example" not in told


def test_only_the_deploy_is_told_as_data(server: Norn, run) -> None:
    assert json.loads(run("deploy", "./blog", "-o", "json").stdout)["kind"] == "deploy"


def test_a_forged_app_is_not_forged_again(server: Norn, run) -> None:
    server.on("GET", "/api/apps/blog", shapes.app(source="upload", origin=None))
    server.on("PUT", "/api/apps/blog", shapes.app(source="upload", origin=None))
    run("deploy", "./blog")
    assert changes(server) == [EVERYTHING[0], EVERYTHING[1], EVERYTHING[3]]


def test_an_app_of_the_servers_own_directory_keeps_its_spec(server: Norn, run) -> None:
    server.on("GET", "/api/apps/blog", shapes.app(source="directory", origin="/srv/apps/blog"))
    run("deploy", "./blog")
    assert changes(server) == [EVERYTHING[1], EVERYTHING[3]]


@pytest.mark.parametrize("source", ["git", "directory"])
def test_alone_it_uploads_nothing_that_the_server_has_itself(server, run, blog, monkeypatch, source) -> None:
    server.on("GET", "/api/apps/blog", shapes.app(source=source, origin="/srv/apps/blog"))
    monkeypatch.chdir(blog)
    run("deploy")
    assert changes(server) == [EVERYTHING[3]]
    assert server.last("POST", "/api/apps/blog/deploy").json == {"ref": None}


REPOSITORY = "https://git.example/blog.git"


@pytest.mark.parametrize(
    ("source", "origin", "note"),
    [
        ("git", REPOSITORY, f"what was pushed to {REPOSITORY}"),
        ("directory", "/srv/apps/blog", "/srv/apps/blog, which the server reads"),
        ("upload", None, "what was uploaded last, src-0123456789ab"),
    ],
)
def test_a_name_in_the_apps_directory_tells_what_else_is_deployed(server, run, blog, monkeypatch, source, origin, note):
    upload = {"revision": "src-0123456789ab"} if source == "upload" else None
    server.on("GET", "/api/apps/blog", shapes.app(source=source, origin=origin, upload=upload))
    monkeypatch.chdir(blog)
    told = run("deploy", "blog").stderr.splitlines()
    assert told[0] == f"note: this deploys {note}; norn deploy . uploads the local directory"
    assert changes(server) == [EVERYTHING[3]]


@pytest.mark.parametrize("words", [["deploy", "blog"], ["deploy", "--app", "blog"]])
def test_the_note_names_the_directory_as_it_is_typed(server: Norn, run, words: list[str]) -> None:
    server.on("GET", "/api/apps/blog", shapes.app())
    assert "; norn deploy ./blog uploads the local directory" in run(*words).stderr


def test_what_is_changed_in_a_clone_must_be_pushed(server: Norn, run, blog: Path, monkeypatch) -> None:
    (blog / "infraspec.yaml").write_text(SPEC + f"repo:\n  url: {REPOSITORY}\n")
    server.on("GET", "/api/apps/blog", shapes.app(source="git", origin=REPOSITORY))
    monkeypatch.chdir(blog)
    told = run("deploy").stderr.splitlines()
    assert told[0] == f"note: this deploys what was pushed to {REPOSITORY}; what is changed here must be pushed first"


@pytest.mark.parametrize("words", [["deploy", "blog", "v2"], ["deploy", "--ref", "v2"], ["deploy", "."]])
def test_a_ref_and_a_path_need_no_note(server: Norn, run, blog: Path, monkeypatch, words: list[str]) -> None:
    server.on("GET", "/api/apps/blog", shapes.app(source="directory", origin="/srv/apps/blog"))
    monkeypatch.chdir(blog)
    assert "note: this deploys" not in run(*words).stderr


def test_the_directory_that_the_server_reads_itself_needs_no_note(server: Norn, run, blog: Path, monkeypatch) -> None:
    server.on("GET", "/api/apps/blog", shapes.app(source="directory", origin=str(blog)))
    monkeypatch.chdir(blog)
    assert "note:" not in run("deploy").stderr


def test_a_directory_of_another_app_needs_no_note(server: Norn, run, blog: Path, monkeypatch) -> None:
    (blog / "infraspec.yaml").write_text("app: shop\nrole: worker\n")
    monkeypatch.chdir(blog)
    assert "note:" not in run("deploy", "blog").stderr


def test_detached_the_deploy_is_accepted_behind_the_forge(server: Norn, run) -> None:
    assert run("deploy", "./blog", "--detach").stdout == "7\n"
    assert changes(server) == EVERYTHING


def test_a_name_is_still_a_name(server: Norn, run, blog: Path, monkeypatch) -> None:
    monkeypatch.chdir(blog.parent.parent)
    run("deploy", "blog")
    assert changes(server) == [EVERYTHING[3]]


def test_an_app_by_its_option_is_a_name_too(server: Norn, run, blog: Path, monkeypatch) -> None:
    monkeypatch.chdir(blog)
    run("deploy", "--app", "blog")
    assert changes(server) == [EVERYTHING[3]]


def test_a_ref_of_a_path_is_refused(server: Norn, run) -> None:
    result = run("deploy", "./blog", "v2")
    assert (result.exit_code, changes(server)) == (2, [])
    assert "norn deploy ./blog" in result.stderr


def test_a_directory_of_a_repository_is_refused_with_the_way_out(server: Norn, run, blog: Path) -> None:
    (blog / "infraspec.yaml").write_text(SPEC + "repo:\n  url: https://example.com/blog.git\n")
    result = run("deploy", "./blog")
    assert (result.exit_code, changes(server)) == (2, [])
    assert "norn deploy --app blog" in result.stderr


def test_a_word_that_may_be_two_things_is_refused(server: Norn, run, blog: Path) -> None:
    (blog / "infraspec.yaml").write_text("app: shop\nrole: worker\n")
    result = run("deploy", "blog")
    assert (result.exit_code, changes(server)) == (2, [])
    assert "norn deploy ./blog, or norn deploy --app blog" in result.stderr


def test_a_directory_without_a_spec_is_named(server: Norn, run, home: Path) -> None:
    result = run("deploy", "./")
    assert (result.exit_code, "there is no infraspec.yaml" in result.stderr) == (2, True)


def test_another_name_by_option_is_refused(server: Norn, run) -> None:
    assert run("deploy", "./blog", "--app", "shop").exit_code == 2


def test_a_spec_with_mistakes_is_told_with_its_own_path(server: Norn, run, blog: Path) -> None:
    mistake = {"file": "infraspec.yaml", "line": 2, "column": 7, "field": "role", "message": "no", "hint": ""}
    server.on("PUT", "/api/apps/blog", problem(422, "spec_invalid", "1 mistake", mistakes=[mistake]))
    assert "blog/infraspec.yaml:2:7: role: no" in run("deploy", "./blog").stderr


def test_a_source_over_the_servers_limit_is_not_sent(server: Norn, run, blog: Path) -> None:
    (blog / "large").write_bytes(bytes(2**20))
    result = run("deploy", "./blog")
    assert (result.exit_code, "NORN_SOURCE_MAX" in result.stderr) == (1, True)
    assert changes(server) == [EVERYTHING[0]]


def test_a_server_that_reads_another_tree_is_told(server: Norn, run) -> None:
    server.on("PUT", "/api/apps/blog/source", Answer({"revision": "src-000000000000", "files": 2, "size": 36}, 201))
    result = run("deploy", "./blog")
    assert (result.exit_code, "another source than was packed" in result.stderr) == (1, True)


def test_status_tells_what_was_uploaded(server: Norn, run) -> None:
    upload = {"revision": "src-0123456789ab", "files": 2, "size": 36, "actor": "ann",
              "created_at": "2026-11-23T10:00:00Z"}  # fmt: skip
    server.on("GET", "/api/apps/blog", shapes.app(source="upload", origin=None, upload=upload))
    assert "src-0123456789ab with the token ann" in run("status", "blog").stdout
