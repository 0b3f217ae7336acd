"""Which specs stop the old replica before the new one starts, and how the health of replicas is checked."""

from __future__ import annotations

import pytest

from norn_tasks.domain.infraspec import parse, statuses

VOLUME = "volumes: [{name: data, mountPath: /data, size: 1g}]\n"


@pytest.mark.parametrize(
    ("lines", "replicas", "recreates"),
    [
        ("", 1, False),
        (VOLUME, 1, True),
        (VOLUME, 2, False),
        (VOLUME + "rollout: rolling\n", 1, False),
        ("rollout: recreate\n", 3, True),
    ],
)
def test_one_replica_with_a_volume_is_stopped_before_its_successor_starts(
    lines: str, replicas: int, recreates: bool
) -> None:
    assert parse(f"app: x\nrole: worker\n{lines}").recreates(replicas) is recreates


@pytest.mark.parametrize(("line", "seconds"), [("", None), ("streamGrace: 0s\n", 0), ("streamGrace: 12h\n", 43200)])
def test_a_webserver_says_how_long_replaced_replicas_keep_their_connections(line: str, seconds: int | None) -> None:
    assert parse(f"app: x\nrole: webserver\nport: 80\n{line}").stream_grace == seconds


def test_the_short_form_of_a_healthcheck_is_the_path_of_health() -> None:
    short = parse("app: x\nrole: webserver\nport: 80\nhealthcheck: /up\n")
    whole = parse("app: x\nrole: webserver\nport: 80\nhealth: {path: /up}\n")
    assert short.checked == whole.checked
    assert (short.checked.path, short.checked.host) == ("/up", "localhost")


@pytest.mark.parametrize(
    ("code", "text", "well"),
    [
        (200, "200", True),
        (204, "200", False),
        (399, "200-399", True),
        (400, "200-399", False),
        (401, "200-299,401", True),
    ],
)
def test_a_status_is_compared_with_numbers_and_ranges(code: int, text: str, well: bool) -> None:
    assert statuses.among(code, text) is well
