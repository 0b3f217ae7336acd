"""From an event to a receiver outside: an alert, its signed webhook that is sent twice, its end, and the regular
"alive" request of the dead man's switch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.embedded.keys import ensure_key
from norn_tasks.settings import load
from norn_tasks.store.database.session import Database
from tests.e2e.conftest import new_stack
from tests.e2e.stack import Stack
from tests.receiver import Came, Receiver
from tests.servers import Broker, Postgres, allowed, wait_until

SPEC = "app: report\nrole: cron\nschedule: '0 9 * * *'\n"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver of notifications."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def alive() -> Iterator[Receiver]:
    """A server that expects regular "alive" requests."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, alive: Receiver) -> Iterator[Stack]:
    """API, scheduler, and the workers for forges and notifications; none of them needs an engine."""
    home = private_dir / "notifications"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(
        postgres, broker.url, home, NORN_OUTGOING_PRIVATE="true", NORN_NOTIFY_BACKOFF="1",
        NORN_ALERT_PAUSED_DAYS="0.00001", NORN_DEADMAN_URL=alive.url(), NORN_DEADMAN_PERIOD="1",
    )  # fmt: skip
    database = Database(stack.database_url, pool=1)
    ensure_key(database, load(stack.environment))
    database.dispose()
    try:
        stack.start("api", "deploy", "observe", "beat")
        yield stack
    finally:
        stack.stop()
        broker.stop()


def told(receiver: Receiver, event: str) -> list[Came]:
    """Returns the received notifications of a kind."""
    return [came for came in receiver.came if came.headers.get("x-norn-event") == event]


def test_an_alert_reaches_its_receiver_signed_and_so_does_its_end(stack: Stack, receiver: Receiver) -> None:
    stack.add_app("report", SPEC, {})
    stack.norn("forge", "report")
    secret = stack.norn("notify", "add", "ops", receiver.url("/hook"), "--kind", "paused-long").stdout.decode().strip()
    stack.norn("notify", "test", "ops")
    receiver.statuses[:0] = [503]
    stack.norn("cron", "pause", "report", "--reason", "the mail server moves")
    wait_until(lambda: len(told(receiver, "alert.raised")) == 2, allowed(30), "the alert comes, and comes again")
    first, again = told(receiver, "alert.raised")
    assert first.headers["x-norn-delivery"] == again.headers["x-norn-delivery"]
    assert "the mail server moves" in json.loads(again.body)["sentence"]
    assert b"paused since" in stack.norn("alerts", "report").stdout
    stack.norn("cron", "resume", "report")
    wait_until(lambda: told(receiver, "alert.resolved"), allowed(30), "its end comes")
    assert [came.headers["x-norn-event"] for came in receiver.came] == [
        "test",
        "alert.raised",
        "alert.raised",
        "alert.resolved",
    ]
    assert all(came.signed_with(secret) for came in receiver.came)
    assert secret.encode() not in b"".join(path.read_bytes() for path in stack.home.glob("*.log"))


def test_the_dead_mans_address_is_called_until_beat_stands_still(stack: Stack, alive: Receiver) -> None:
    before = len(alive.came)
    wait_until(lambda: len(alive.came) >= before + 2, allowed(15), "it is called again and again")
    stack.kill("beat")
    waiting = "SELECT 1 FROM jobs WHERE kind = 'call-deadman' AND state IN ('queued', 'running')"
    wait_until(lambda: not stack.rows(waiting), allowed(15), "what was asked for is done")
    silent = len(alive.came)
    stack.norn("notify", "test", "ops")  # this succeeds, so the workers still work
    assert len(alive.came) == silent
