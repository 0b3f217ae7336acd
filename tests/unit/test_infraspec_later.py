"""Fields whose feature is not there yet: refused when their silence would be wrong, noted when it is harmless."""

from __future__ import annotations

import pytest

from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import field_paths, from_json, notices, parse
from norn_tasks.domain.infraspec.later import LATER, SKIPPED
from norn_tasks.domain.infraspec.yaml.positions import dotted

WORKER = "app: x\nrole: worker\n"
CRON = "app: x\nrole: cron\nschedule: '@daily'\n"
FUNCTION = "app: x\nrole: function\n"
WEBSERVER = "app: x\nrole: webserver\nport: 80\n"

REFUSED = [
    (FUNCTION + "function: {response: cgi}\n", "function.response"),
    (FUNCTION + "function: {auth: none}\n", "function.auth"),
]


@pytest.mark.parametrize(("text", "field"), REFUSED)
def test_using_a_feature_that_is_not_there_is_a_mistake_with_a_way_out(text: str, field: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    (mistake,) = refused.value.mistakes
    assert mistake.field == field
    assert mistake.message.endswith("not there yet in this version")
    assert mistake.hint


def test_every_row_of_the_table_is_tried_here() -> None:
    assert {dotted(row.path) for row in LATER} == {field for _, field in REFUSED}


def test_a_type_is_judged_before_the_feature() -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse(CRON + "retries: {max: often}\n")
    assert [mistake.message for mistake in refused.value.mistakes] == ['"often" is not a whole number from 0 to 20']


@pytest.mark.parametrize(
    "text",
    [
        WORKER + "secrets: [A]\nvolumes: []\nmigrations: {idempotent: true}\n",
        CRON + "runtime: docker\nconcurrency: allow\ncatchup: none\njitter: 0\nretries: {max: 0}\n",
        CRON + "alerts: {window: 1h, threshold: 1}\n",
        WORKER + "alerts: {window: 1h, threshold: 1}\n",
        CRON + "concurrency: forbid\ncatchup: last\ntimezone: Asia/Tokyo\n",
        CRON + "concurrency: queue\ncatchup: all\nstartDeadline: 5m\njitter: 5s\nretries: {max: 1}\n",
        CRON + "concurrency: replace\n",
        FUNCTION + "function: {response: raw, auth: token}\n",
    ],
)
def test_what_asks_for_nothing_new_is_accepted_without_a_word(text: str) -> None:
    assert notices(parse(text)) == ()


NOTED = [
    (WORKER + "command: ./run\nenv: {discovery.type: single-node}\n", "env"),
    (WORKER + "volumes: [{name: a, mountPath: /data, size: 1g}]\n", "volumes[].size"),
    (WORKER + "services: {storage: {bucket: abc}}\n", "services.storage"),
    (FUNCTION + "alerts: {}\n", "alerts"),
    (FUNCTION + "function: {warm: 1}\n", "function.warm"),
    (FUNCTION + "function: {warmMax: 8}\n", "function.warmMax"),
    (FUNCTION + "function: {idle: 300}\n", "function.idle"),
]


@pytest.mark.parametrize(("text", "field"), NOTED)
def test_a_field_that_does_nothing_yet_is_noted(text: str, field: str) -> None:
    (notice,) = notices(parse(text))
    assert notice.startswith(f"{field}: ")


@pytest.mark.parametrize(("text", "field"), NOTED)
def test_a_notice_survives_the_row(text: str, field: str) -> None:
    spec = parse(text)
    assert notices(from_json(spec.to_json())) == notices(spec)


def test_every_notice_of_the_table_is_tried_here() -> None:
    assert {row.field for row in SKIPPED} == {field for _, field in NOTED}


def test_every_row_names_a_field_that_exists() -> None:
    sections = {path.rpartition(".")[0].rstrip("[]") for path in field_paths()}
    named = {dotted(row.path) for row in LATER} | {row.field for row in SKIPPED}
    assert named <= {*field_paths(), *sections}
