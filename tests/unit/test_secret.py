"""Secrets as values: none is printed, and a value that no environment variable can hold is refused."""

from __future__ import annotations

import json
import pickle

import pytest

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import parse
from norn_tasks.domain.secret import STRING_MAX, Sealed, Secret, current, secret_name, secret_value


def test_a_secret_is_printed_nowhere() -> None:
    secret = Secret("hunter2!")
    written = [str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret, str([secret]), str({"a": secret})]  # noqa: UP031
    assert not [text for text in written if "hunter2" in text]


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps])
def test_a_secret_is_not_written_down(write) -> None:
    with pytest.raises(TypeError):
        write(Secret("hunter2!"))


def test_an_error_that_holds_a_secret_does_not_tell_it() -> None:
    assert "hunter2" not in repr(InvalidRequest("x", value=Secret("hunter2!")))


def test_a_sealed_one_shows_no_bytes() -> None:
    assert "abc" not in repr(Sealed("A", 1, b"abc"))


@pytest.mark.parametrize("text", ["a", "größer", "two\nlines", "x" * (STRING_MAX - len("KEY="))])
def test_a_text_that_fits_an_environment_is_accepted(text: str) -> None:
    assert secret_value("KEY", text).reveal() == text


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * (STRING_MAX - len("KEY=") + 1), "ü" * 65_534])
def test_what_no_environment_can_hold_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        secret_value("KEY", text)
    assert "KEY" in refused.value.sentence and len(refused.value.sentence) < 200


@pytest.mark.parametrize("name", ["a/b", "1A", "", "NORN_TOKEN", "A B", "A=B", "Ä", "A" * 129])
def test_a_name_that_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        secret_name(name)


def test_only_the_current_version_counts() -> None:
    old, new, gone = Sealed("A", 1, b"", current=False), Sealed("A", 2, b""), Sealed("B", 1, b"", current=False)
    assert current((old, new, gone)) == {"A": new}


def test_a_spec_may_name_secrets() -> None:
    assert parse("app: x\nrole: worker\nsecrets: [API_KEY, DATABASE_PASSWORD]\n").secrets == (
        "API_KEY",
        "DATABASE_PASSWORD",
    )
