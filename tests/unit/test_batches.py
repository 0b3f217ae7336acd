"""Writes that are ready together are one write; each request still gets its own outcome."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.batches import Batches
from tests.servers import wait_until

DOWN = DatabaseDown("away", hint="wait", retry_after=1)


class Writer:
    """Doubles numbers, as a stand-in for a write, and keeps the batches; the first batch waits until `go_on` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on, self.down = threading.Event(), False

    def __call__(self, these: Sequence[int]) -> list[int]:
        self.batches.append(list(these))
        if len(self.batches) == 1:
            assert self.go_on.wait(30)
        if self.down and len(these) > 1:
            raise DOWN
        if any(number < 0 for number in these):
            raise ValueError(f"{min(these)} is negative")
        return [2 * number for number in these]


def _asked(writer: Writer, *numbers: int) -> list[int | Exception]:
    """Requests the write of 0, then that of the numbers while 0 is being written; returns the outcomes of the
    numbers.
    """
    batches: Batches[int, int] = Batches(writer)

    def ask(number: int) -> int | Exception:
        try:
            return batches.ask(number)
        except (ValueError, DatabaseDown) as error:
            return error

    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        first = pool.submit(ask, 0)
        wait_until(lambda: writer.batches, 30, "the first is being written")
        outcomes = [pool.submit(ask, number) for number in numbers]
        wait_until(lambda: len(batches._waiting) == len(numbers), 30, "the others wait")
        writer.go_on.set()
        assert first.result() == 0
        return [outcome.result() for outcome in outcomes]


def test_what_waits_while_one_writes_is_the_next_batch() -> None:
    writer = Writer()
    assert _asked(writer, 1, 2, 3) == [2, 4, 6]
    assert [sorted(batch) for batch in writer.batches] == [[0], [1, 2, 3]]


def test_one_that_fails_takes_no_other_with_it() -> None:
    writer = Writer()
    one, bad, three = _asked(writer, 1, -2, 3)
    assert (one, three) == (2, 6)
    assert isinstance(bad, ValueError)


def test_a_database_that_is_away_is_reported_to_all_and_asked_once() -> None:
    writer = Writer()
    writer.down = True
    assert _asked(writer, 1, 2, 3) == [DOWN] * 3
    assert len(writer.batches) == 2


def test_alone_it_waits_for_nobody() -> None:
    writer = Writer()
    writer.go_on.set()
    batches: Batches[int, int] = Batches(writer)
    assert [batches.ask(number) for number in (1, 2)] == [2, 4]
    assert writer.batches == [[1], [2]]


def test_after_a_failure_others_are_written() -> None:
    writer = Writer()
    writer.go_on.set()
    batches: Batches[int, int] = Batches(writer)
    with pytest.raises(ValueError, match="negative"):
        batches.ask(-1)
    assert batches.ask(1) == 2


def test_many_threads_all_get_their_own() -> None:
    writer = Writer()
    writer.go_on.set()
    batches: Batches[int, int] = Batches(writer, most=5)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(batches.ask, range(500))) == [2 * number for number in range(500)]
    assert max(map(len, writer.batches)) <= 5
