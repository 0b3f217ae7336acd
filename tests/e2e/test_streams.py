"""A WebSocket and an event stream of an app survive deploys of the app and the death of workers, the scheduler and the
API. The death of the router ends them, and so does `norn restart --now`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import streams
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

ENVIRONMENT = {"NORN_DRAIN_TIMEOUT": "4"}
APP = "chat"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def open_streams(stack: Stack) -> Iterator[streams.Streams]:
    """Open streams to a newly deployed release of the app; no older replica drains."""
    before = max((row["n"] for row in stack.rows("SELECT n FROM releases WHERE app = %s", APP)), default=0)
    streams.write(stack, APP, before + 1)
    stack.norn("forge", APP)
    stack.norn("deploy", APP)
    if before:
        stack.norn("restart", APP, "--now")
    assert [row["state"] for row in rows(stack)] == ["live"]
    port = int(stack.json("status", APP)["url"].rpartition(":")[2])
    with streams.Streams([streams.Door(port)]).open() as opened:
        yield opened


def rows(stack: Stack) -> list[dict[str, object]]:
    return stack.rows("SELECT release, state, connections FROM replicas WHERE app = %s ORDER BY release", APP)


def live(stack: Stack) -> int:
    return int(stack.rows("SELECT n FROM live_releases WHERE app = %s", APP)[0]["n"])


def shown(stack: Stack) -> list[tuple[object, ...]]:
    """Returns the replicas that `norn status` shows, as (state, release, connections)."""
    replicas = stack.json("status", APP, "--fresh")["replicas"]
    return [(each["state"], each["release"], each["connections"]) for each in replicas]


def only_the_live_one(stack: Stack) -> None:
    """Waits until no replica drains, and no container of a drained one is left."""
    wait_until(
        lambda: [row["state"] for row in rows(stack)] == ["live"], allowed(60), f"only one is left: {rows(stack)}"
    )
    wait_until(lambda: len(stack.json("status", APP, "--fresh")["replicas"]) == 1, allowed(30), "status shows one")


def test_streams_outlive_deploys_and_a_rollback_and_status_shows_what_serves_them(
    stack: Stack, open_streams: streams.Streams
) -> None:
    first = live(stack)
    for release in (first + 1, first + 2):
        streams.deploy(stack, APP, release)
        open_streams.go_on(0)
        assert open_streams.ask(0) == str(release)
    stack.norn("rollback", APP)
    open_streams.go_on(0)
    assert [row["state"] for row in rows(stack)] == ["draining", "live"]
    wait_until(lambda: rows(stack)[0]["connections"] == 2, allowed(15), "both are counted")
    expected = [("draining", first, 2), ("running", first + 1, None)]
    wait_until(lambda: shown(stack) == expected, allowed(60), f"status shows {expected}")
    status = stack.json("status", APP)
    assert (status["ready"], status["wanted"], status["state"]) == (1, 1, "running")
    assert status["replicas"][0]["until"] and "2 open connections" in status["replicas"][0]["message"]
    assert f"serving {first}" in stack.norn("logs", APP).stdout.decode()
    open_streams.close(0)
    only_the_live_one(stack)
    kinds = stack.rows("SELECT kind, data FROM events WHERE app = %s AND kind LIKE 'replica.%%' ORDER BY id", APP)
    assert [row["kind"] for row in kinds][-2:] == ["replica.draining", "replica.drained"]
    assert kinds[-1]["data"]["cut"] == 0
    assert stack.rows("SELECT 1 FROM jobs WHERE app = %s AND kind = 'repair'", APP) == []


def test_killed_workers_and_beats_change_nothing_and_the_kill_of_the_router_ends_it(
    stack: Stack, open_streams: streams.Streams
) -> None:
    first = live(stack)
    streams.write(stack, APP, first + 1)
    job = stack.json("deploy", APP, "--detach")["job"]
    wait_until(lambda: "leaving" in {row["state"] for row in rows(stack)}, allowed(60), "the old replica leaves")
    for name in ("deploy", "observe", "beat", "api"):
        stack.kill_group(name)
    stack.start("deploy", "observe", "beat", "api")
    assert stack.await_state(job, ("succeeded", "failed"), allowed(150))["state"] == "succeeded"
    assert [row["state"] for row in rows(stack)] == ["draining", "live"]
    open_streams.go_on(0)
    stack.kill("router")
    stack.start("router")
    only_the_live_one(stack)
    assert all(stream.fault for pair in open_streams.of for stream in pair)


def test_a_restart_with_now_ends_what_drains(stack: Stack, open_streams: streams.Streams) -> None:
    streams.deploy(stack, APP, live(stack) + 1)
    open_streams.go_on(0)
    stack.norn("restart", APP, "--now")
    assert [row["state"] for row in rows(stack)] == ["live"]
    wait_until(lambda: all(stream.fault for pair in open_streams.of for stream in pair), allowed(20), "both have ended")
