"""Two workers of one class have different names by default, and two workers can never have the same name."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres, allowed, wait_until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A Norn of which only workers run."""
    home = private_dir / "names"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, NORN_WORKERS_INVOKE="3")
    stack.broker = broker
    try:
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def rows(stack: Stack) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in stack.rows("SELECT name, slots, draining_at FROM workers")}


def present(stack: Stack, count: int) -> None:
    wait_until(lambda: len(rows(stack)) == count, 60, f"{count} workers have spoken")


def test_workers_without_a_name_have_rows_and_slots_of_their_own_and_drain_alone(stack: Stack) -> None:
    for known_as in ("first", "second"):
        stack.spawn("invoke", known_as, unnamed=True)
    present(stack, 2)
    assert [row["slots"] for row in rows(stack).values()] == [3, 3]
    assert stack.broker is not None
    assert stack.broker.client().pubsub_numpat() == 0, "workers listen to each other through the broker"
    assert stack.broker.client().pubsub_channels() == []
    stack.kill("first", signal.SIGTERM)
    assert stack.processes["first"].wait(30) == 0
    assert [row["draining_at"] for row in rows(stack).values()] == [None]
    stack.kill("second", signal.SIGTERM)
    present(stack, 0)


def test_a_second_worker_of_one_name_is_refused_and_the_first_goes_on(stack: Stack) -> None:
    stack.spawn("invoke", "named")
    present(stack, 1)
    second = stack.spawn("invoke", "again", name="named")
    assert second.wait(30) == 1
    assert "a worker named named@test is there already: process" in stack.log("again")
    assert list(rows(stack)) == ["named@test"]
    assert stack.processes["named"].poll() is None


def test_a_killed_worker_is_replaced_under_its_name_at_once(stack: Stack) -> None:
    killed = stack.spawn("invoke", "killed")
    wait_until(lambda: _process_named(stack, "killed@test") == killed.pid, allowed(30), "the first worker has the name")
    stack.kill("killed")
    new = stack.spawn("invoke", "killed")
    wait_until(lambda: _process_named(stack, "killed@test") == new.pid, allowed(12), "the new worker has the name")


def _process_named(stack: Stack, name: str) -> int | None:
    """Returns the process id of the worker of this name; None if there is none."""
    return next((row["pid"] for row in stack.rows("SELECT pid FROM workers WHERE name = %s", name)), None)
