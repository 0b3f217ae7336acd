"""`norn secrets`: where the values come from, the messages about them, and that no value is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli import shapes
from tests.integration.cli.server import Answer, problem

CANARY = "canary-5f1e7c"


def secret(name: str, **more):
    return {
        "name": name, "version": 1, "set_by": "joe", "at": "2026-11-23T10:00:00Z", "named": True, "missing": False,
        **more,
    }  # fmt: skip


@pytest.fixture
def blog(norn):
    """A fake server that accepts secrets of the app `blog`, and always lists one: API_KEY."""
    norn.on("PUT", "/api/apps/blog/secrets", lambda asked: Answer(shapes.page(*map(secret, asked.json["values"]))))
    norn.on("GET", "/api/apps/blog/secrets", shapes.page(secret("API_KEY")))
    return norn


def sent(norn):
    return next(asked.json["values"] for asked in norn.asked if asked.method == "PUT")


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["API_KEY=canary-5f1e7c"], ""),
        (["API_KEY", "-"], "canary-5f1e7c\n"),
        (["API_KEY=-"], "canary-5f1e7c"),
        (["API_KEY"], "canary-5f1e7c\r\n"),
    ],
)
def test_a_value_comes_from_the_word_or_from_stdin(blog, run, words, stdin):
    result = run("secrets", "set", "blog", *words, input=stdin)
    assert (result.exit_code, sent(blog)) == (0, {"API_KEY": CANARY})
    assert CANARY not in result.stdout + result.stderr


def test_several_are_set_in_one_request(blog, run):
    run("secrets", "set", "blog", "A=1", "B=x=y")
    assert sent(blog) == {"A": "1", "B": "x=y"}


def test_the_app_may_be_left_to_the_environment(blog, run):
    run("secrets", "set", "API_KEY=x", env={"NORN_APP": "blog"})
    assert sent(blog) == {"API_KEY": "x"}


@pytest.mark.parametrize("words", [["http_proxy=x"], ["http_proxy", "-"], ["proxy", "-"]])
def test_a_name_may_have_small_letters_without_an_app_before_it(blog, run, words):
    run("secrets", "set", *words, env={"NORN_APP": "blog"}, input="x")
    assert sent(blog) == {words[0].removesuffix("=x"): "x"}


def test_an_app_that_is_new_is_registered_by_the_infraspec_here(norn, run, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "infraspec.yaml").write_text("app: blog\nrole: worker\nsecrets: [API_KEY]\n")
    known: list[bool] = []
    norn.on("PUT", "/api/apps/blog", lambda _: known.append(True) or Answer(shapes.app()))
    missing = problem(404, "app_not_found", "there is no app 'blog'")
    there = Answer(shapes.page(secret("API_KEY")))
    norn.on("PUT", "/api/apps/blog/secrets", lambda _: there if known else missing)
    norn.on("GET", "/api/apps/blog/secrets", shapes.page(secret("API_KEY")))
    result = run("secrets", "set", "API_KEY=x")
    assert (result.exit_code, known) == (0, [True]), result.output
    assert "note: blog was new, and is registered now with infraspec.yaml" in result.stderr


def test_a_file_is_read(blog, run, tmp_path: Path):
    (tmp_path / "prod.env").write_text('export API_KEY="two\\nlines"\n# no\nB=2\n')
    run("secrets", "set", "blog", "--from-file", str(tmp_path / "prod.env"), "B=3")
    assert sent(blog) == {"API_KEY": "two\nlines", "B": "3"}


def test_a_file_that_is_none_says_where(blog, run, tmp_path: Path):
    (tmp_path / "prod.env").write_text(f"A=1\n{CANARY}\n")
    result = run("secrets", "set", "blog", "--from-file", str(tmp_path / "prod.env"))
    assert (result.exit_code, f"{tmp_path}/prod.env:2: this is not NAME=value" in result.stderr) == (2, True)
    assert CANARY not in result.stderr


def test_nothing_to_set_is_a_usage_error(blog, run):
    assert run("secrets", "set", "blog").exit_code == 2


def test_what_becomes_of_it_is_told(blog, run):
    result = run("secrets", "set", "blog", "API_KEY=canary-5f1e7c")
    assert result.stdout == "API_KEY is set, version 1\n"
    assert "live with the next norn deploy blog or norn restart blog" in result.stderr


def test_one_that_no_container_gets_is_told(norn, run):
    norn.on("PUT", "/api/apps/blog/secrets", shapes.page(secret("OTHER", named=False)))
    assert "secrets: [OTHER]" in run("secrets", "set", "blog", "OTHER=canary-5f1e7c").stderr


def test_one_too_short_to_be_hidden_is_told(blog, run):
    assert "not hidden in logs: PIN" in run("secrets", "set", "blog", "PIN=1234").stderr


def test_the_list_shows_what_is_missing(norn, run):
    missing = secret("OTHER", version=None, set_by=None, at=None, missing=True)
    norn.on("GET", "/api/apps/blog/secrets", shapes.page(secret("API_KEY", version=3), missing))
    lines = run("secrets", "list", "blog").stdout.splitlines()
    assert lines[1].split()[:2] == ["API_KEY", "3"]
    assert lines[2].split() == ["OTHER", "missing"]


def test_names_alone_are_for_scripts(norn, run):
    norn.on("GET", "/api/apps/blog/secrets", shapes.page(secret("A"), secret("B")))
    assert run("secrets", "list", "blog", "-o", "name").stdout == "A\nB\n"


def test_unsetting_says_what_will_fail(norn, run):
    norn.on("DELETE", "/api/apps/blog/secrets/API_KEY", Answer(None, 204))
    norn.on("GET", "/api/apps/blog/secrets", shapes.page(secret("API_KEY", missing=True)))
    result = run("secrets", "unset", "blog", "API_KEY")
    assert (result.exit_code, result.stdout) == (0, "unset API_KEY\n")
    assert "deploys fail" in result.stderr


def test_one_that_is_not_set_is_not_found(norn, run):
    told = problem(404, "not_found", "blog has no secret X", "norn secrets list blog")
    norn.on("DELETE", "/api/apps/blog/secrets/X", told)
    assert run("secrets", "unset", "blog", "X").exit_code == 3


# Encrypted files


@pytest.fixture
def filed(norn):
    """A fake server that accepts a rotation of its key, an import and an export of secrets, and returns the exported
    file.
    """
    rotating = {"job": 7, "app": "", "kind": "rotate-key", "state": "queued"}
    norn.on("POST", "/api/secrets/key/rotate", Answer(rotating, 202))
    norn.on("GET", "/api/jobs/7", shapes.job(id=7, app="", kind="rotate-key", state="succeeded"))
    norn.on("GET", "/api/jobs/7/events", Answer(content_type="text/event-stream", pieces=[]))
    for word, job in (("import", 5), ("export", 6)):
        accepted = {"job": job, "app": "blog", "kind": f"{word}-secrets", "state": "queued"}
        norn.on("POST", f"/api/apps/blog/secrets/{word}", Answer(accepted, 202))
        done = shapes.job(id=job, app="blog", kind=f"{word}-secrets", state="succeeded")
        norn.on("GET", f"/api/jobs/{job}", done)
        norn.on("GET", f"/api/jobs/{job}/events", Answer(content_type="text/event-stream", pieces=[]))
    norn.on("GET", "/api/apps/blog/secrets/export/6", {"content": "API_KEY: ENC[x]\nsops: {}\n"})
    norn.on("GET", "/api/secrets/key", {"recipient": "age1ours"})
    return norn


@pytest.mark.parametrize(
    "words", [["blog", "mine.yaml"], ["mine.yaml"], ["-"], ["blog", "-"], ["blog"], []], ids=" ".join
)
def test_an_encrypted_file_is_sent_as_it_is(filed, run, tmp_path: Path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "secrets.enc.yaml"):
        (tmp_path / name).write_text("API_KEY: ENC[x]\n")
    result = run("secrets", "import", *words, env={"NORN_APP": "blog"}, input="API_KEY: ENC[x]\n")
    assert result.exit_code == 0, result.output
    assert [asked.body for asked in filed.asked if asked.method == "POST"] == [b"API_KEY: ENC[x]\n"]


def test_an_export_is_printed_or_written(filed, run, tmp_path: Path):
    printed = run("secrets", "export", "blog", "--to", "age1mine", "--to", "age1yours")
    assert (printed.exit_code, printed.stdout) == (0, "API_KEY: ENC[x]\nsops: {}\n")
    asked = next(asked for asked in filed.asked if asked.method == "POST")
    assert asked.json == {"recipients": ["age1mine", "age1yours"]}
    file = tmp_path / "secrets.enc.yaml"
    written = run("secrets", "export", "blog", "--to", "age1mine", "--file", str(file))
    assert (written.exit_code, file.read_text()) == (0, "API_KEY: ENC[x]\nsops: {}\n")


def test_a_rotation_of_the_key_is_waited_for(filed, run):
    result = run("secrets", "rotate-key")
    assert (result.exit_code, "all secrets are sealed to a new key" in result.stdout) == (0, True), result.output


def test_the_servers_key_is_printed_alone(filed, run):
    assert run("secrets", "key").stdout == "age1ours\n"


@pytest.mark.parametrize(
    ("found", "status", "told"),
    [
        ({"missing": [], "unused": []}, 0, ""),
        ({"missing": ["NEW"], "unused": []}, 1, "not set on the server: NEW"),
        ({"missing": [], "unused": ["OLD"]}, 0, "set, but not used: OLD"),
    ],
)
def test_validate_asks_the_server_for_missing_and_unused_ones(norn, run, tmp_path: Path, found, status, told):
    file = tmp_path / "infraspec.yaml"
    file.write_text("app: blog\nrole: worker\nsecrets: [NEW]\n")
    answer = {"valid": True, "mistakes": [], "notices": [], "spec": {"app": "blog"}, "secrets": found}
    norn.on("POST", "/api/apps/blog/validate", answer)
    result = run("validate", "--server", str(file))
    assert (result.exit_code, told in result.stdout) == (status, True), result.output


def test_validate_asks_for_each_infraspec_of_a_directory(norn, run, tmp_path: Path):
    for name, app, missing in (("infraspec.yaml", "blog", []), ("infraspec.jobs.yaml", "jobs", ["KEY"])):
        (tmp_path / name).write_text(f"app: {app}\nrole: worker\n")
        found = {"missing": missing, "unused": []}
        answer = {"valid": True, "mistakes": [], "notices": [], "spec": {"app": app}, "secrets": found}
        norn.on("POST", f"/api/apps/{app}/validate", answer)
    result = run("validate", "--server", str(tmp_path))
    assert (result.exit_code, "infraspec.jobs.yaml: not set on the server: KEY" in result.stdout) == (1, True)
    assert "infraspec.yaml: valid" in result.stdout
    assert run("validate", "--server", str(tmp_path), "--app", "blog").exit_code == 0
