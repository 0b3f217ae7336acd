"""Fields that are accepted and have no effect: each is noted, and nothing else is."""

from __future__ import annotations

import pytest

from norn_tasks.domain.infraspec import field_paths, from_json, notices, parse
from norn_tasks.domain.infraspec.later import SKIPPED

WORKER = "app: x\nrole: worker\n"
CRON = "app: x\nrole: cron\nschedule: '@daily'\n"
FUNCTION = "app: x\nrole: function\n"
WEBSERVER = "app: x\nrole: webserver\nport: 80\n"


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
        FUNCTION + "function: {response: cgi, auth: none}\n",
    ],
)
def test_what_asks_for_nothing_new_is_accepted_without_a_word(text: str) -> None:
    assert notices(parse(text)) == ()


NOTED = [
    (WORKER + "command: ./run\nenv: {discovery.type: single-node}\n", "env"),
    (WORKER + "volumes: [{name: a, mountPath: /data, size: 1g}]\n", "volumes[].size"),
    (WORKER + "services: {storage: {bucket: abc, provider: minio}}\n", "services.storage.provider"),
    (FUNCTION + "alerts: {}\n", "alerts"),
    (FUNCTION + "function: {warm: 1}\n", "function.warm"),
    (FUNCTION + "function: {warmMax: 8}\n", "function.warmMax"),
    (FUNCTION + "function: {idle: 300}\n", "function.idle"),
]


@pytest.mark.parametrize(("text", "field"), NOTED)
def test_a_field_that_does_nothing_is_noted(text: str, field: str) -> None:
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
    named = {row.field for row in SKIPPED}
    assert named <= {*field_paths(), *sections}
