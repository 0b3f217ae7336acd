"""Errors about a repository that cannot be read: the cause from the messages of git and ssh, and the hint."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.sources.git_messages import explained

NO_RIGHT = "fatal: Could not read from remote repository."
ADVICE = ("", "Please make sure you have the correct access rights", "and the repository exists.")

NO_KEY = ("git@git.example: Permission denied (publickey).", NO_RIGHT, *ADVICE)
OTHER_KEY = ("ERROR: Repository not found.", NO_RIGHT, *ADVICE)
OTHER_HOST = ("Host key verification failed.", NO_RIGHT, *ADVICE)
NO_ANSWER = ("ssh: connect to host git.example port 22: Connection refused", NO_RIGHT, *ADVICE)
AWAY = ("fatal: unable to access 'https://git.example/blog/': Could not resolve host: git.example",)


@pytest.mark.parametrize(
    ("lines", "way_out"),
    [
        (NO_KEY, "a key without passphrase in ~/.ssh of the user that runs the deploy worker"),
        (OTHER_KEY, "a key without passphrase in ~/.ssh of the user that runs the deploy worker"),
        (OTHER_HOST, "~/.ssh/known_hosts of the user that runs the deploy worker"),
        (NO_ANSWER, "check repo.url"),
        (AWAY, "check repo.url"),
    ],
)
def test_the_line_with_the_reason_is_shown_with_a_hint(lines: tuple[str, ...], way_out: str) -> None:
    said, hint = explained(lines, 128)
    assert (said, way_out in hint) == (lines[0], True)


def test_without_a_reason_the_exit_code_is_shown() -> None:
    assert explained((), 128)[0] == "it ended with 128"
