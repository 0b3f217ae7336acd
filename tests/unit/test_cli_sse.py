"""Parses server-sent events from bytes that arrive in any chunks, with heartbeats, and cut off at any place."""

from __future__ import annotations

import pytest

from norn_cli.sse import ServerEvent, events, lines

STREAM = (
    b'id: 5-1\nevent: step.ended\ndata: {"n": 1}\n\n: heartbeat\n\nid: 5-2\nevent: job.ended\ndata: {"a":\ndata: 2}\n\n'
)
READ = [ServerEvent("5-1", "step.ended", {"n": 1}), ServerEvent("5-1"), ServerEvent("5-2", "job.ended", {"a": 2})]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pieces_of_any_size_are_the_same_events(size):
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert list(events(lines(pieces))) == READ


def test_carriage_returns_are_line_ends_too():
    assert list(events(lines([STREAM.replace(b"\n", b"\r\n")]))) == READ


def test_an_event_that_is_cut_off_is_not_told():
    assert list(events(lines([STREAM.removesuffix(b"\n\n")]))) == READ[:2]


def test_a_payload_that_is_no_json_is_its_text():
    assert list(events(lines([b"data: hello\n\n"]))) == [ServerEvent("", "message", "hello")]


def test_other_line_separators_do_not_cut_a_line():
    assert list(lines(["one\u2028two\x0bthree\n".encode()])) == ["one\u2028two\x0bthree"]


def test_a_last_line_without_an_end_is_a_line():
    assert list(lines([b"one\ntw", b"o"])) == ["one", "two"]


def test_invalid_utf8_is_replaced():
    assert list(lines([b"a\xffb\n"])) == ["a\ufffdb"]
