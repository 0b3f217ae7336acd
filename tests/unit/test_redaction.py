"""Hiding secrets: every encoding of a value is hidden, in whatever chunks it comes, and no other text."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret

PLAIN = "hunter2!"
ODD = 'p@ss "word"/ü\\+ %41'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----\n"
LONG = "x" * 40_000 + "y"
HIDDEN = Redaction(map(Secret, [PLAIN, ODD, PEM, LONG, "aaaaaa", "abcabcabc", "aaaaaab"]))


def in_pieces(data: bytes, cuts: list[int]) -> bytes:
    """Returns a stream with hidden secrets, given in these chunks."""
    redactor, shown, at = HIDDEN.stream(), b"", 0
    for cut in cuts:
        shown += redactor.feed(data[at : at + cut])
        at += cut
    return shown + redactor.feed(data[at:]) + redactor.end()


@pytest.mark.parametrize("value", [PLAIN, ODD, PEM, LONG])
@pytest.mark.parametrize(
    "written",
    [
        lambda value: value,
        lambda value: json.dumps({"key": value}),
        lambda value: json.dumps({"key": value}, ensure_ascii=False),
        lambda value: f"https://joe:{quote(value, safe='')}@host/",
        lambda value: b64encode(value.encode()).decode(),
        lambda value: b64encode(f"joe:{value}".encode()).decode(),
        lambda value: b64encode(f"jo:{value}\n".encode()).decode(),
        lambda value: urlsafe_b64encode(f"{value}tail".encode()).decode(),
        lambda value: f"it is {value.strip()}.",
    ],
)
def test_a_value_is_hidden_however_it_is_written(value: str, written) -> None:
    shown = HIDDEN.of_text(written(value))
    assert "***" in shown
    assert len(shown) < 60 and value[:6] not in shown and value.strip()[-6:] not in shown


QUOTED = "it's\t\"mine\"\x1b\\n\x01 ü'"


@pytest.mark.parametrize(
    "written",
    [
        repr,
        lambda value: repr({"key": value}),
        lambda value: repr(value.encode()),
        shlex.quote,
        lambda value: "+ printf " + "'" + value.replace("'", "'\\''") + "'",
        lambda value: "+ printf $'it\\'s\\t\"mine\"\\E\\\\n\\001 ü\\''",
    ],
    ids=["repr", "repr of a dict", "repr of bytes", "dash", "bash", "bash with control characters"],
)
def test_a_value_is_hidden_however_a_program_quotes_it(written) -> None:
    shown = Redaction([Secret(QUOTED)]).of_text(written(QUOTED))
    assert "***" in shown and "mine" not in shown


def test_each_longer_line_of_a_value_is_hidden_alone() -> None:
    assert HIDDEN.of_text("key: MIIEvQIBADANBgkqhkiG9w0BAQEFAASC!") == "key: ***!"


def test_a_short_value_is_not_looked_for() -> None:
    assert Redaction([Secret("true")]).of_text('{"ok": true}') == '{"ok": true}'


def test_nothing_hidden_changes_nothing() -> None:
    assert NOTHING_HIDDEN.stream().feed(b"\xff\x00hunter2") == b"\xff\x00hunter2"


@given(st.binary(max_size=400))
def test_bytes_without_a_secret_come_through_unchanged(data: bytes) -> None:
    hidden = Redaction([Secret("a secret that no made-up bytes hold"), Secret("größer als alles")])
    redactor = hidden.stream()
    shown = b"".join(redactor.feed(data[at : at + 3]) for at in range(0, len(data), 3)) + redactor.end()
    assert shown == data


_PARTS = st.one_of(
    st.sampled_from([value.encode() for value in (PLAIN, ODD, PEM, "aaaaaa", "abcabcabc", "aaaaaab")]),
    st.sampled_from([value.encode()[:n] for value in (PLAIN, ODD, "aaaaaab", "abcabcabc") for n in range(1, 9)]),
    st.text("abc \n", max_size=9).map(str.encode),
)


@given(st.lists(_PARTS, max_size=8), st.lists(st.integers(0, 9), max_size=60))
def test_pieces_of_any_size_show_the_same(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    shown = in_pieces(data, cuts)
    assert shown == HIDDEN.of_bytes(data)
    assert not [value for value in (PLAIN, ODD, "aaaaaa", "abcabcabc") if value.encode() in shown]


def test_a_value_longer_than_any_piece_is_hidden() -> None:
    assert in_pieces(b"<" + LONG.encode() + b">", [4096] * 9) == b"<***>"


def test_a_stream_waits_only_for_what_may_be_a_secret() -> None:
    redactor = HIDDEN.stream()
    assert redactor.feed(b"the word is hunter") == b"the word is "
    assert redactor.feed(b"3\n") == b"hunter3\n"


def test_a_stream_of_one_letter_does_not_pile_up() -> None:
    redactor = HIDDEN.stream()
    shown = b"".join(redactor.feed(b"a" * 1000) for _ in range(50))
    assert shown == b"***"


def test_a_value_that_is_cut_off_by_the_end_is_hidden() -> None:
    assert HIDDEN.of_text(f"key: {LONG[:20]}") == "key: ***"
    assert HIDDEN.of_text("a hunter") == "a hunter"
