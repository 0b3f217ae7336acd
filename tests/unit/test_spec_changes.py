"""The differences of two infraspecs, field by field, and the command that applies each one."""

from __future__ import annotations

import pytest

from norn_tasks.domain.comparing.changes import Part, SpecChange, Verb, changes
from norn_tasks.domain.infraspec import parse

WEB = "app: web\nrole: webserver\nport: 8080\n"
CRON = "app: night\nrole: cron\nschedule: '0 2 * * *'\n"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("", "replicas: 3\n", SpecChange("replicas", Part.WORKLOAD, "1", "3", Verb.FORGE)),
        ("env: {A: x}\n", "env: {A: y}\n", SpecChange("env.A", Part.WORKLOAD, "x", "y", Verb.FORGE)),
        ("env: {A: x}\n", "", SpecChange("env.A", Part.WORKLOAD, "x", None, Verb.FORGE)),
        ("", "healthcheck: /up\n", SpecChange("healthcheck", Part.WORKLOAD, None, "/up", Verb.FORGE)),
        ("", "hosts: {internal: shop}\n", SpecChange("hosts.internal", Part.ROUTE, None, "shop", Verb.FORGE)),
        (
            "volumes: [{name: data, mountPath: /a, size: 1g}]\n",
            "volumes: [{name: data, mountPath: /b, size: 1g}]\n",
            SpecChange("volumes.data.mountPath", Part.VOLUME, "/a", "/b", Verb.FORGE),
        ),
        ("", "build: {test: 'true'}\n", SpecChange("build.test", Part.SOURCE, None, "true", Verb.DEPLOY)),
        ("", "secrets: [KEY]\n", SpecChange("secrets", Part.WORKLOAD, "[]", '["KEY"]', Verb.FORGE)),
    ],
)
def test_a_field_that_differs_is_one_change(before: str, after: str, change: SpecChange) -> None:
    assert changes(parse(WEB + before), parse(WEB + after)) == (change,)


def test_a_schedule_belongs_to_the_part_of_that_name() -> None:
    (change,) = changes(parse(CRON), parse(CRON.replace("2", "3")))
    assert change == SpecChange("schedule", Part.SCHEDULE, "0 2 * * *", "0 3 * * *", Verb.FORGE)


def test_the_same_spec_written_otherwise_has_no_change() -> None:
    assert changes(parse(WEB + "resources: {memory: 64m}\n"), parse(WEB + "resources: {memory: 65536k}\n")) == ()
