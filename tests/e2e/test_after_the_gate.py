"""Apps that pass the health check of their deploy and fail later: their state, `norn why`, an alert and a notification
report it within a minute.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from norn_tasks.embedded.keys import ensure_key
from norn_tasks.settings import load
from norn_tasks.store.database.session import Database
from tests.e2e.apps import add_web
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.receiver import Receiver
from tests.servers import Broker, Postgres, wait_until

WITHIN = 60
SERVE = "httpd -f -p 8080 -h /www"
CRASHES = f"{SERVE} & sleep 5; exit 3"
GREEDY = f"{SERVE} & sleep 20; x=$(head -c 100000000 /dev/zero | tr '\\\\0' a)"
HANGS_ONCE = f"[ -e /data/hung ] && exec {SERVE}; touch /data/hung; {SERVE} & p=$!; sleep 6; kill -STOP $p; wait"
DATABASE = (
    "mkdir /data/lock || exit 5; trap 'kill $p; rmdir /data/lock; exit 0' TERM; httpd -f -p 8080 -h /www & p=$!; wait"
)
"""A program that locks its directory, as databases do: a second one that uses the directory ends immediately."""
WRITE = """#!/bin/sh
n=$(cat /data/n 2>/dev/null || echo 0)
echo $((n+1)) > /data/n.new && mv /data/n.new /data/n
printf 'Content-Type: text/plain\\r\\n\\r\\n%s' $((n+1))
"""
HEALTH = "healthcheck: /index.html\n"
TROUBLES = {
    "crash": (CRASHES, "", "crash-looping", "crash-looping"),
    "greedy": (GREEDY, "resources: {memory: 16m}\n", "out-of-memory", "crash-looping"),
    "hang": (HANGS_ONCE, "volumes: [{name: data, mountPath: /data, size: 1m}]\n", "unhealthy", "unhealthy"),
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver of notifications."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn whose notifications may go to loopback."""
    home = private_dir / "after-the-gate"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, NORN_OUTGOING_PRIVATE="true")
    database = Database(stack.database_url, pool=1)
    ensure_key(database, load(stack.environment))
    database.dispose()
    try:
        stack.start()
        yield stack
    finally:
        clean_up(stack)
        stack.stop()
        broker.stop()


def reported(receiver: Receiver, event: str) -> set[tuple[str, str]]:
    """Returns the apps and kinds of alerts that notifications of an event named."""
    bodies = [json.loads(each.body) for each in receiver.came]
    return {(body["app"], body["kind"]) for body in bodies if body["event"] == event}


@pytest.mark.timeout(300)
def test_what_goes_wrong_after_the_gate_is_said_within_a_minute_and_its_end_too(
    stack: Stack, receiver: Receiver
) -> None:
    stack.norn("notify", "add", "ops", receiver.url())
    expected, live = set(), {}
    for app, (command, more, kind, _) in TROUBLES.items():
        add_web(stack, app, command, HEALTH + more)
        stack.norn("forge", app)
        stack.norn("deploy", app)
        live[app] = time.monotonic()
        expected.add((app, kind))

    for app, (_, _, kind, state) in TROUBLES.items():
        wait_until(lambda: (app, kind) in reported(receiver, "alert.raised"), 2 * WITHIN, f"{app} is {kind}")  # noqa: B023
        took = time.monotonic() - live[app]
        assert took < WITHIN + 20, f"{app}: {took:.0f} s after it was live"
        why = stack.json("why", app)
        if app != "hang":  # it may be healthy again already
            assert (why["state"], kind in [each["kind"] for each in why["reasons"]]) == (state, True)

    for app in ("crash", "greedy"):
        add_web(stack, app, SERVE, HEALTH)
        stack.norn("deploy", app)
        live[app] = time.monotonic()
    wait_until(lambda: expected <= reported(receiver, "alert.resolved"), WITHIN, "all three are over")
    assert [stack.json("status", app)["state"] for app in TROUBLES] == ["running"] * 3
    url = stack.json("status", "hang")["url"]
    assert httpx.get(f"{url}/index.html").text == "one\n"
    assert stack.rows("SELECT count(*) AS n FROM jobs WHERE app = 'hang' AND kind = 'repair'")[0]["n"] == 1


def test_a_database_restarts_and_is_redeployed_and_no_acknowledged_write_is_lost(stack: Stack) -> None:
    volume = "volumes: [{name: data, mountPath: /data, size: 1m}]\n"
    directory = add_web(stack, "store", DATABASE, HEALTH + volume)
    (directory / "www" / "cgi-bin").mkdir()
    write = directory / "www" / "cgi-bin" / "write"
    write.write_text(WRITE)
    write.chmod(0o755)
    stack.norn("forge", "store")
    stack.norn("deploy", "store")
    writer = Writer(f"{stack.json('status', 'store')['url']}/cgi-bin/write")
    try:
        stack.norn("restart", "store")
        stack.norn("deploy", "store")
    finally:
        writer.stop()
    assert len(writer.numbers) > 10
    assert writer.numbers == sorted(set(writer.numbers)), "a number came twice: the write before it was lost"


class Writer(threading.Thread):
    """Sends one write after the other, also while releases change."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._go_on = url, True
        self.numbers: list[int] = []
        self.start()

    def run(self) -> None:
        """Sends the writes, and records the number in each response."""
        while self._go_on:
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(self._url, timeout=5)
                if answer.status_code == 200:
                    self.numbers.append(int(answer.text))
            time.sleep(0.02)

    def stop(self) -> None:
        """Stops after the current write."""
        self._go_on = False
        self.join(20)
