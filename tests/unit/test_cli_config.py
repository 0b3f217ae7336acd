"""Which server, token and app the command uses, which source has priority, and that a token is never sent to another
server.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_cli.config import (
    Context,
    Contexts,
    bootstrap_token,
    checked_url,
    is_loopback,
    load_contexts,
    save_contexts,
)
from norn_cli.errors import CliError, Usage
from norn_cli.project import app_of, find_app, read_spec


def test_contexts_are_read_as_they_were_written(tmp_path: Path):
    contexts = Contexts("ho.me", {"ho.me": Context("https://h.example", 'norn_"\\x'), "b": Context("http://b.example")})
    assert load_contexts(save_contexts(contexts, tmp_path / "deep" / "config.toml")) == contexts


def test_the_first_context_becomes_the_current_one():
    assert Contexts().with_context("home", Context("http://h.example")).current == "home"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a\nb"])
def test_what_is_no_name_for_a_context(name):
    with pytest.raises(Usage):
        Contexts().with_context(name, Context("http://h.example"))


def test_a_token_is_not_in_what_is_printed_of_a_context():
    assert "norn_x" not in repr(Context("http://h.example", "norn_x"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8800", True),
        ("http://127.0.0.9", True),
        ("http://[::1]:8800", True),
        ("http://norn.localhost", True),
        ("http://192.168.0.1", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
    ],
)
def test_which_urls_are_this_machine(url, expected):
    assert is_loopback(url) is expected


def test_the_token_of_norn_up_never_goes_to_another_machine(tmp_path: Path):
    (tmp_path / "token").write_text("norn_boot\n")
    environ = {"NORN_DATA_DIR": str(tmp_path)}
    assert bootstrap_token("http://localhost:8800", environ) == "norn_boot"
    assert bootstrap_token("https://norn.example", environ) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "ftp://x",
        "http://",
        "http://x:port",
        "http://x:99999",
        "http://a:b@x",
        "http://x?y=1",
        "http://[::",
    ],
)
def test_what_is_no_url_of_a_server(url):
    with pytest.raises(Usage):
        checked_url(url)


def test_a_url_is_kept_without_the_slash_at_its_end():
    assert checked_url("https://norn.example/base/ ") == "https://norn.example/base"


def test_what_is_typed_wins_over_environment_and_directory(tmp_path: Path):
    (tmp_path / "infraspec.yaml").write_text("app: here\n")
    environ = {"NORN_APP": "there"}
    assert find_app("typed", environ=environ, directory=tmp_path) == "typed"
    assert find_app(environ=environ, directory=tmp_path) == "there"
    assert find_app(environ={}, directory=tmp_path) == "here"


@pytest.mark.parametrize("name", ["-rf", "a/b", "A", "1a", "a" * 41, "a_b", "a-", "bl\u00f6g", "a\n"])
def test_what_no_app_is_called(name):
    with pytest.raises(Usage):
        find_app(name)


@pytest.mark.parametrize(
    "text", ["app: [", "- app", "", "app: 3", "app: no", "a" * 10, "!!python/object/apply:os.system ['x']"]
)
def test_a_spec_that_names_no_app(text):
    assert app_of(text) == ""


def test_a_file_too_large_to_be_a_spec_is_not_read(tmp_path: Path):
    (tmp_path / "big").write_bytes(b"#" * 70_000)
    with pytest.raises(CliError, match="over 64 KiB"):
        read_spec(tmp_path / "big")


def test_a_file_that_is_no_text_is_not_read(tmp_path: Path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(CliError, match="not UTF-8"):
        read_spec(tmp_path / "binary")
