"""The meaning of a parsed spec, and how it is stored in a row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import (
    Auth,
    Catchup,
    Concurrency,
    FunctionOptions,
    Hosts,
    Infraspec,
    Network,
    Record,
    Resources,
    Response,
    Role,
    RuntimeName,
    from_json,
    parse,
)


def test_what_is_left_out_has_the_defaults_of_the_design() -> None:
    spec = parse("app: x\nrole: worker\n")
    assert (spec.deploy, spec.core, spec.replicas, spec.artifacts.retain) == (True, False, 1, 5)
    assert (spec.build.dockerfile, spec.repo.branch, spec.repo.auto_deploy) == ("Dockerfile", "main", False)
    assert (spec.timezone, spec.catchup, spec.concurrency) == ("UTC", Catchup.LAST, Concurrency.FORBID)
    assert (spec.jitter, spec.retries.max, spec.retries.backoff, spec.start_deadline) == (0, 0, 10, None)
    assert (spec.runtime, spec.network, spec.timeout) == (RuntimeName.DOCKER, Network.BRIDGE, 300)
    assert (spec.alerts.window, spec.alerts.threshold, spec.container.writable) == (300, 3, False)
    assert (spec.resources.memory, spec.resources.cpu, spec.port, spec.healthcheck) == (None, None, None, None)


def test_a_function_has_the_defaults_of_the_design() -> None:
    function = parse("app: x\nrole: function\n").function
    assert (function.timeout, function.memory, function.concurrency) == (30, 256 * 2**20, 4)
    assert (function.max_body, function.max_output, function.content_type) == (2**20, 2**20, "text/plain")
    assert (function.auth, function.response, function.record) == (Auth.TOKEN, Response.RAW, Record.FULL)
    assert (function.warm, function.warm_max, function.idle) == (1, 8, 300)


def test_amounts_are_kept_as_bytes_seconds_and_cores() -> None:
    text = "app: x\nrole: cron\nschedule: '@daily'\ntimeout: 1h30m\nresources: {memory: 1.5g, cpu: 250m}\n"
    spec = parse(text)
    assert (spec.timeout, spec.resources.memory, spec.resources.cpu) == (5400, 1536 * 2**20, 0.25)


def test_strings_stay_strings() -> None:
    text = "app: no\nrole: worker\nenv: {A: no, B: 0755, C: 22:30, D: 1e3, E: ~}\n"
    spec = parse(text)
    assert spec.app == "no"
    assert spec.env == {"A": "no", "B": "0755", "C": "22:30", "D": "1e3", "E": "~"}


def test_a_text_is_a_command_for_a_shell() -> None:
    assert parse("app: x\nrole: worker\ncommand: a && b\n").argv() == ["sh", "-c", "a && b"]


def test_a_list_is_a_command_as_it_stands() -> None:
    assert parse("app: x\nrole: worker\ncommand: [a, '', '&&']\n").argv() == ["a", "", "&&"]


def test_without_a_command_the_image_has_its_own() -> None:
    assert parse("app: x\nrole: worker\n").argv() is None


def test_the_internal_host_is_the_apps_name_unless_said() -> None:
    assert Infraspec(app="x", role=Role.WEBSERVER, port=80).internal_host == "x"
    assert Infraspec(app="x", role=Role.WEBSERVER, port=80, hosts=Hosts(internal="y")).internal_host == "y"


def test_a_spec_cannot_be_changed() -> None:
    spec = parse("app: x\nrole: worker\n")
    with pytest.raises(ValidationError):
        spec.app = "y"  # type: ignore[misc]


def test_a_frozen_spec_says_what_was_written_in_one_spelling() -> None:
    text = "role: function\napp: x\nfunction: {memory: 256m, maxBody: 1KiB, idle: 5m}\ncommand: [cat]\n"
    assert parse(text).to_json() == {
        "app": "x",
        "role": "function",
        "command": ["cat"],
        "function": {"maxBody": 1024, "memory": 268435456, "idle": 300},
    }


def test_a_frozen_spec_of_a_feature_that_is_not_there_yet_stays_readable() -> None:
    frozen = {"app": "x", "role": "cron", "schedule": "@daily", "secrets": ["A"], "retries": {"max": 3}}
    assert from_json(frozen).retries.max == 3


@pytest.mark.parametrize("frozen", [{}, {"app": "x", "role": "worker", "zzz": 1}, {"app": "../x", "role": "worker"}])
def test_a_frozen_spec_that_is_none_is_refused(frozen: dict[str, object]) -> None:
    with pytest.raises(SpecInvalid):
        from_json(frozen)


def test_numbers_in_quotes_are_no_numbers_in_a_frozen_spec() -> None:
    with pytest.raises(SpecInvalid, match="port"):
        from_json({"app": "x", "role": "webserver", "port": "80"})


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20
)
SPECS = st.builds(
    Infraspec,
    app=st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True),
    role=st.sampled_from(Role),
    deploy=st.booleans(),
    port=st.none() | st.integers(1, 65_535),
    replicas=st.integers(0, 100),
    env=st.dictionaries(st.from_regex(r"[A-MO-Z_][A-Z0-9_]{0,9}", fullmatch=True), TEXTS, max_size=3),
    resources=st.builds(
        Resources, memory=st.none() | st.integers(6 * 2**20, 2**40), cpu=st.none() | st.floats(0.01, 256.0)
    ),
    command=st.none() | TEXTS.filter(str.strip) | st.tuples(TEXTS.filter(str.strip), TEXTS),
    catchup=st.sampled_from(Catchup),
    start_deadline=st.none() | st.integers(1, 600_000),
    timeout=st.integers(1, 86_400),
    function=st.builds(FunctionOptions, timeout=st.integers(1, 3600), record=st.sampled_from(Record)),
)


@settings(max_examples=60, deadline=None)
@given(SPECS)
def test_a_spec_survives_its_row(spec: Infraspec) -> None:
    thawed = from_json(json.loads(json.dumps(spec.to_json())))
    assert thawed == spec
    assert thawed.to_json() == spec.to_json()
