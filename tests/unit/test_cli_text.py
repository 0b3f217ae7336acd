"""Foreign text for a terminal: which characters stay, which are removed, and how wide the text is."""

from __future__ import annotations

import pytest

from norn_cli.display.text import RESET, clean, clip, one_line, width


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b]0;title\x07rest", "rest"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cHduZWQ=\x07clipboard", "clipboard"),
        ("\x1b]0;never ends", ""),
        ("\x1b]0;ends with the line\nnext", "\nnext"),
        ("\x1bPq#0;2;0\x1b\\sixel", "sixel"),
        ("\x1b[2J\x1b[H\x1b[?1049hscreen", "screen"),
        ("\x1b[6nreport", "report"),
        ("\x1b(0line drawing", "line drawing"),
        ("\x1bcreset", "reset"),
        ("\x9b2Jeight bit", "eight bit"),
        ("\x9d0;title\x9crest", "rest"),
        ("over\rwritten", "over\nwritten"),
        ("two\r\nlines", "two\nlines"),
        ("back\x08\x08\x7f", "back"),
        ("\x1b", ""),
        ("\x1b[", ""),
        ("\x1b[31mred", "red"),
        ("\x1b\x1b[31m]0;split\x07", "]0;split"),
        ("user\u202ecod.exe\u2066", "usercod.exe"),
        ("grüße 字 🙂", "grüße 字 🙂"),
    ],
)
def test_without_colours_only_text_is_left(hostile, harmless):
    assert clean(hostile) == harmless


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("\x1b[1;31mred\x1b[0m plain", "\x1b[1;31mred\x1b[0m plain" + RESET),
        ("\x1b[38:2:255:0:0mtrue colour", "\x1b[38:2:255:0:0mtrue colour" + RESET),
        ("\x1b[31mred\x1b[2J", "\x1b[31mred" + RESET),
        ("no colour", "no colour"),
        ("\x1b[>4;2mnot a colour", "not a colour"),
    ],
)
def test_colours_stay_when_wanted_and_never_run_on(hostile, kept):
    assert clean(hostile, colours=True) == kept


def test_a_value_becomes_one_line():
    assert one_line(" two\n  lines\x07 ") == "two lines"


def test_wide_and_combining_characters_are_measured():
    assert [width(text) for text in ("abc", "字字", "e\u0301")] == [3, 4, 1]


@pytest.mark.parametrize(
    ("text", "clipped"), [("short", "short"), ("much too long", "much to…"), ("字字字字字", "字字字…")]
)
def test_a_line_is_cut_to_the_terminals_width(text, clipped):
    assert clip(text, 8) == clipped
    assert width(clipped) <= 8
