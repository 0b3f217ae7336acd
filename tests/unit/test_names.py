"""Names of apps, branches and other things: only allowed characters are accepted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norn_tasks.domain import names, paths
from norn_tasks.domain.errors import InvalidRequest

SHA = "0123456789abcdef0123456789abcdef01234567"

GOOD: list[tuple[Callable[[str], str], str]] = [
    (names.app_name, "a"),
    (names.app_name, "a" * 40),
    (names.app_name, "mail-agent-2"),
    (names.env_key, "_"),
    (names.env_key, "PATH"),
    (names.env_key, "A" * 128),
    (names.env_key, "NORNISH"),
    (names.env_key, "FLASK_CELERY__broker_url"),
    (names.env_key, "ConnectionStrings__Default"),
    (names.env_key, "discovery.type"),
    (names.env_key, "npm-config-cache"),
    (names.dns_label, "a" * 63),
    (names.hostname, "mail.slopistry.com"),
    (names.hostname, "xn--bcher-kva.example"),
    (names.hostname, "1.2.example"),
    (names.ref, "main"),
    (names.ref, "feature/ünï-1.2"),
    (names.ref, "v1.0+build"),
    (names.ref, SHA),
    (names.stage_name, "Test_stage-1.2"),
    (names.repo_url, "https://github.com/a/b.git"),
    (names.repo_url, "https://[::1]:8443/a"),
    (names.repo_url, "ssh://git@host.example:22/~me/x"),
    (names.repo_url, "git@github.com:a/b.git"),
    (names.repo_url, "git@host:/srv/x"),
    (names.web_url, "http://git.lan:3000/a?b#c"),
    (paths.beneath_root, "Dockerfile"),
    (paths.beneath_root, "./a b/..c/Dockerfile.prod"),
    (paths.http_path, "/"),
    (paths.http_path, "/health?deep=1"),
    (paths.mount_path, "/var/lib/data"),
    (paths.pattern_beneath_root, "src/**/[a-z]*.py"),
]

BAD: list[tuple[Callable[[str], str], str]] = [
    *((names.app_name, text) for text in ("", "A", "1a", "a-", "-a", "a_b", "a.b", "a\n", "a" * 41, "ａ", "a\0")),
    *((names.env_key, text) for text in ("", "1A", ".a", "-a", "A B", "A=B", "A\n", "A" * 129, "NORN_X", "NORN_", "Ä")),
    *((names.dns_label, text) for text in ("", "a.b", "1a", "a-", "a" * 64)),
    *(
        (names.hostname, text)
        for text in ("", "localhost", "10.0.0.1", "*.a.b", "a..b", "a.b.", "-a.b", "A.b", "a_b.c")
    ),
    (names.hostname, ".".join(["a" * 60] * 5)),
    *((names.ref, text) for text in ("", "-x", "--upload-pack=x", "@", "HEAD", "a b", "a..b", "a.lock", "a@{1}")),
    *((names.ref, text) for text in ("/a", "a/", "a//b", ".a", "a/.b", "a.", "a:b", "a\x7f", "a\u202eb", "é" * 123)),
    *((names.stage_name, text) for text in ("", "-a", "1", "a b", "a:b")),
    *((names.repo_url, text) for text in ("", "host:path", "http://h/a", "file:///a", "ext::sh -c x", "/srv/x")),
    *((names.repo_url, text) for text in ("https://u:p@h/a", "https://u@h/a", "https://@h/a", "ssh://u:p@h/a")),
    *(
        (names.repo_url, text)
        for text in ("https://h/", "https://h/a b", "https://h/%0a", "https://h/a?b", "https://h/a#b")
    ),
    *((names.repo_url, text) for text in ("ssh://-oX/a", "ssh://-oX@h/a", "git@-oX:a", "git@h:-a", "https://h:0/a")),
    *((names.web_url, text) for text in ("javascript:alert(1)", "//h/a", "https://u:p@h/", "https://h/<", "https:h")),
    *((paths.beneath_root, text) for text in ("", "/a", "..", "a/../b", "a/", ".", "-a", "a\\b", "a\n", "a" * 256)),
    *((paths.http_path, text) for text in ("", "a", "//h/a", "/a b", "/a#b", "/a\r\n", "/é", "/" + "a" * 1024)),
    *(
        (paths.mount_path, text)
        for text in ("", "a", "/", "/proc", "/dev/shm", "/run/x", "/a/", "/a//b", "/a/../b", "/a:b")
    ),
    *((paths.pattern_beneath_root, text) for text in ("", "/a", "!a", "../a", "a\\b")),
]


@pytest.mark.parametrize(("accept", "text"), GOOD)
def test_a_good_identifier_comes_back_as_it_is(accept: Callable[[str], str], text: str) -> None:
    assert accept(text) == text


@pytest.mark.parametrize(("accept", "text"), BAD)
def test_a_bad_identifier_is_refused_with_a_way_out(accept: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        accept(text)
    assert refused.value.hint


@pytest.mark.parametrize("text", ["https://me:hunter2@h/a", "me:hunter2@h/a", "https://h/a?token=hunter2"])
def test_a_refused_address_is_not_repeated_because_it_may_hold_a_secret(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        names.repo_url(text)
    assert "hunter2" not in refused.value.sentence + refused.value.hint


def test_a_hint_names_no_other_variable() -> None:
    with pytest.raises(InvalidRequest) as refused:
        names.env_key("1http proxy")
    assert refused.value.hint == "write one such as LOG_LEVEL"


def test_a_near_miss_is_given_back_repaired() -> None:
    with pytest.raises(InvalidRequest) as refused:
        names.app_name("My Blog_2")
    assert refused.value.hint == "write my-blog-2"


def test_a_refused_word_is_shown_on_one_line_without_what_a_terminal_obeys() -> None:
    with pytest.raises(InvalidRequest) as refused:
        names.app_name("\x1b[2J\n" + "a" * 500)
    assert refused.value.sentence.isprintable()
    assert len(refused.value.sentence) < 250


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*"ab/.-@{~^:?*[\\ é+=%", "..", ".lock", "@{", "//", "HEAD"]), max_size=4).map("".join))
def test_a_ref_is_what_git_takes_for_a_branch(text: str) -> None:
    git = subprocess.run(["git", "check-ref-format", "--branch", text], capture_output=True, check=False)
    # Git reads `@` as HEAD and `@{-1}` as the previous branch: neither is the name of a branch.
    taken = git.returncode == 0 and git.stdout.decode().strip() == text and text not in ("@", "HEAD")
    try:
        names.ref(text)
        accepted = True
    except InvalidRequest:
        accepted = False
    assert accepted == taken
