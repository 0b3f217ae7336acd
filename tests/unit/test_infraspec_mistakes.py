"""Every mistake of a spec is reported at the same time, each with line, column and a correction."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norn_tasks.domain.errors import Mistake, SpecInvalid
from norn_tasks.domain.infraspec import decode, field_paths, parse


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    """Returns the mistakes of a text that has some."""
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    return refused.value.mistakes


def places_of(text: str) -> list[str]:
    """Returns the places of the mistakes: `line:column field`."""
    return [f"{mistake.line}:{mistake.column} {mistake.field}" for mistake in mistakes_of(text)]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = """\
app: Blog
role: webserver
port: eighty
helthcheck: /health
build:
    tests: make
    dockerfile: ../Dockerfile
env:
  1lower: x
  GOOD: [a]
function:
  timeout: 0
"""
    assert places_of(text) == [
        "1:6 app",
        "3:7 port",
        "4:1 helthcheck",
        "6:5 build.tests",
        "7:17 build.dockerfile",
        "9:3 env.1lower",
        "10:9 env.GOOD",
        "11:1 function",
        "12:12 function.timeout",
    ]


def test_a_mistake_reads_as_file_line_column_field_and_sentence() -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse("app: x\nrole: worker\nreplicas: many\n", "apps/x/infraspec.yaml")
    assert str(refused.value.mistakes[0]) == (
        'apps/x/infraspec.yaml:3:11: replicas: "many" is not a whole number from 0 to 100'
    )


def test_columns_count_characters_and_not_bytes() -> None:
    assert places_of('{"app": "x", "command": "ü😀", "role": "wörker"}\n') == ["1:39 role"]


def test_an_item_of_a_list_has_a_place_of_its_own() -> None:
    text = "app: x\nrole: worker\nservices:\n  events:\n    topics:\n      - good\n      - b*d\n"
    assert places_of(text) == ["7:9 services.events.topics[1]"]


def test_an_argument_of_a_command_has_a_place_of_its_own() -> None:
    assert places_of("app: x\nrole: worker\ncommand: [a, {b: c}, d]\n") == ["3:14 command[1]"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("healthchek: /x", "did you mean healthcheck?"),
        ("Replicas: 2", "did you mean replicas?"),
        ("start_deadline: 5m", "did you mean startDeadline?"),
        ("build: {test_stage: x}", "did you mean testStage?"),
        ("dockerfile: x", "did you mean build.dockerfile?"),
        ("maxBody: 1m", "did you mean function.maxBody?"),
    ],
)
def test_an_unknown_field_is_guessed(written: str, meant: str) -> None:
    assert [mistake.hint for mistake in mistakes_of(f"app: x\nrole: worker\n{written}\n")] == [meant]


def test_a_field_that_is_like_no_other_is_answered_with_what_may_stand_there() -> None:
    assert mistakes_of("app: x\nrole: worker\nhosts: {zzz: x}\n")[-1].hint == "the fields here are: external, internal"


def test_a_field_that_is_missing_points_to_what_should_hold_it() -> None:
    text = "app: x\nrole: worker\nservices:\n  postgres: {}\n"
    assert places_of(text) == ["4:3 services.postgres.database"]


def test_a_field_that_the_role_needs_points_to_the_role() -> None:
    assert places_of("app: x\nrole: webserver\n") == ["2:7 port"]


def test_a_needed_field_with_a_mistake_is_not_called_missing() -> None:
    assert places_of("app: x\nrole: cron\nschedule:\n") == ["3:10 schedule"]


def test_a_rule_between_fields_is_silent_when_one_of_them_is_refused() -> None:
    assert places_of("app: x\nrole: worker\nrepo: {url: ftp://x, branch: dev}\n") == ["3:13 repo.url"]


def test_a_wrong_role_does_not_hide_the_other_mistakes() -> None:
    assert places_of("app: x\nrole: wbserver\nport: x\nsecrets: [1a]\n") == ["2:7 role", "3:7 port", "4:11 secrets[0]"]


def test_a_field_of_another_role_says_which_role_can_use_it() -> None:
    mistake = mistakes_of("app: x\nrole: worker\nport: 80\n")[0]
    assert mistake.message == "a worker cannot use it: only a webserver is reached on a port"
    assert mistake.hint == "take it out, or make the role webserver"


def test_a_field_that_a_function_has_under_another_name_says_so() -> None:
    assert mistakes_of("app: x\nrole: function\ntimeout: 30\n")[0].hint == "write it as function.timeout"


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("deploy: yes", "write true, without quotes"),
        ("core: off", "write false, without quotes"),
        ('replicas: "2"', "write 2 without quotes"),
        ("resources: {memory: 512}", "did you mean 512m?"),
        ("build: Dockerfile", "write its fields beneath it, indented, each as name: value"),
        ("services: {events: {topics: a}}", "write it as topics: [a, b]"),
    ],
)
def test_a_wrong_type_says_what_would_be_right(written: str, hint: str) -> None:
    assert mistakes_of(f"app: x\nrole: worker\n{written}\n")[0].hint == hint


@pytest.mark.parametrize("value", ["@daily", "*/5 * * * *", "*daily"])
def test_a_schedule_that_needs_quotes_is_told_so(value: str) -> None:
    assert "in quotes" in mistakes_of(f"app: x\nrole: cron\nschedule: {value}\n")[0].hint


def test_a_file_that_is_something_else_is_answered_in_time_and_in_part() -> None:
    text = "".join(f"k{number}: 1\n" for number in range(7000))
    begun = time.process_time()
    assert len(mistakes_of(text)) == 100
    assert time.process_time() - begun < 3


def test_a_file_over_64_kib_is_refused() -> None:
    text = "app: x\nrole: worker\n"
    parse(text + "#" * (64 * 1024 - len(text)))
    assert places_of(text + "#" * (64 * 1024 - len(text) + 1)) == ["1:1 yaml"]


def test_more_bytes_than_a_spec_may_have_are_refused_unread() -> None:
    with pytest.raises(SpecInvalid) as refused:
        decode(b"\xff" * (64 * 1024 + 1), "big.yaml")
    assert str(refused.value.mistakes[0]) == "big.yaml:1:1: yaml: the file is over 65536 bytes"


def test_brackets_without_end_are_answered_at_once() -> None:
    begun = time.process_time()
    assert mistakes_of("a: " + "[" * 60_000)[0].message == "it is nested deeper than 20 levels"
    assert time.process_time() - begun < 1


def test_a_lone_surrogate_is_refused_at_its_place() -> None:
    assert places_of("app: x\nrole: worker\nenv: {A: \ud800}\n") == ["3:10 yaml"]


def test_bytes_that_are_no_utf_8_are_refused_at_their_place() -> None:
    with pytest.raises(SpecInvalid) as refused:
        decode(b"app: x\nrole: w\xff\n")
    assert str(refused.value.mistakes[0]) == "infraspec.yaml:2:8: yaml: the byte 0xff is not UTF-8"


LINES = st.one_of(
    st.sampled_from([path.split(".")[-1] for path in field_paths()]).map(lambda name: f"{name}: 1"),
    st.sampled_from(
        [
            "app: x",
            "role: cron",
            "  a: [b, {c: d}]",
            "- x",
            "env:",
            "  A: *b",
            "&c d: !!e f",
            "--- !!map",
            "--- &a",
            "---",
            "\t",
            "'",
            "}",
        ]
    ),
    st.text(max_size=12),
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(LINES, max_size=8).map("\n".join)))
def test_any_text_is_a_spec_or_a_list_of_mistakes(text: str) -> None:
    try:
        parse(text)
    except SpecInvalid as refused:
        assert refused.mistakes
        assert all(
            str(mistake).isprintable() and mistake.line > 0 and mistake.column > 0 for mistake in refused.mistakes
        )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("domains: [a.example]", "hosts.external names a public host"),
        ("build: {args: {A: b}}", "write ARG with a default"),
        ("processes: {web: x}", "make an app of each process"),
        ("zzqx: 1", "docs/infraspec.md lists the fields"),
    ],
)
def test_a_field_of_other_platforms_says_what_does_its_work_here(line: str, hint: str) -> None:
    (mistake,) = mistakes_of(f"app: x\nrole: worker\n{line}\n")
    assert mistake.hint.startswith(hint)
