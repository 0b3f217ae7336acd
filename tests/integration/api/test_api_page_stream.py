"""The stream of a page: events and log lines together, resumed by one id; all pages share one reader of an
app's logs.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from tests import factories as shared
from tests.integration.api.factories import Api, add_worker
from tests.servers import Broker, allowed, wait_until


def sent_line(second: int) -> tuple[str, str, dict[str, str]]:
    """Returns a line as a worker sends it."""
    at = f"2026-11-30T10:00:{second:02}.000000Z"
    return ("web-1", f"line {second}", {"at": at, "container": "a1", "stream": "stdout"})


class Reader:
    """Simulates a worker that reads logs: each following job gets the lines when they are written, other jobs get all
    earlier lines.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._written: list[tuple[str, str, dict[str, str]]] = []
        self._past: set[int] = set()
        self._sent: Counter[int] = Counter()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def jobs(self) -> list[tuple[int, bool]]:
        """Returns the jobs that read logs, and whether they follow."""
        with self._api.database.transaction() as tx:
            rows = tx.execute(text("SELECT id, args FROM jobs WHERE kind = 'read-logs' ORDER BY id"))
            return [(row.id, bool(row.args["follow"])) for row in rows]

    def write(self, *seconds: int) -> None:
        """Writes lines; followers get them immediately."""
        lines = [sent_line(second) for second in seconds]
        self._written += lines
        for job, follows in self.jobs():
            if follows:
                self._api.services.live.emit(job, lines, first=self._sent[job] + 1)
                self._sent[job] += len(lines)

    def _answer(self) -> None:
        while not self._ending.wait(0.05):
            for job, follows in self.jobs():
                if not follows and job not in self._past:
                    self._past.add(job)
                    self._api.services.live.emit(job, self._written, last=True)

    def close(self) -> None:
        """Ends the thread."""
        self._ending.set()
        self._thread.join()


class Page:
    """A client that has opened the stream of a page."""

    def __init__(self, api: Api, query: str, last: str = "") -> None:
        self._answer = api.get(f"/api/stream?{query}", headers={"Last-Event-ID": last} if last else {})
        assert self._answer.status_code == 200, self._answer.text
        self._chunks: Iterator[Any] = iter(self._answer.response)
        self._messages: list[dict[str, str]] = []
        begun, retry = self._text().rstrip().split("\n")
        assert retry == "retry: 2000"
        self.begun = begun.removeprefix("id: ")

    def _text(self) -> str:
        chunk = next(self._chunks)
        return chunk.decode() if isinstance(chunk, bytes) else str(chunk)

    def until(self, wanted: Callable[[dict[str, str]], bool]) -> list[dict[str, str]]:
        """Returns the messages up to the first one for which `wanted` returns true."""
        found: list[dict[str, str]] = []
        while not found or not wanted(found[-1]):
            while not self._messages:
                self._messages = [_message(block) for block in self._text().split("\n\n") if block.startswith("id: ")]
            found.append(self._messages.pop(0))
        return found

    def lines(self, count: int) -> tuple[list[str], str]:
        """Returns the texts of the next log lines, and the id of the last one."""
        found = [self.until(lambda message: message["event"] == "log")[-1] for _ in range(count)]
        return [json.loads(message["data"])["line"] for message in found], found[-1]["id"]

    def close(self) -> None:
        """Closes the stream."""
        self._answer.close()


def _message(block: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in block.splitlines())  # type: ignore[misc]


@pytest.fixture
def reader(connected: Api, broker: Broker) -> Iterator[Reader]:
    """A server with a worker that reads logs, and the app `web`.

    The broker is emptied, because each test's jobs are numbered from 1, and the lines of a job live longer than a test.
    """
    broker.client().flushall()
    shared.add_live(connected.database, "web", "webserver")
    add_worker(connected.database, JobClass.OBSERVE, slots=20)
    reader = Reader(connected)
    yield reader
    reader.close()


def follows(reader: Reader) -> int:
    """Returns how many jobs follow logs."""
    return sum(follows for _, follows in reader.jobs())


def test_pages_share_one_reader_of_an_app(connected: Api, reader: Reader) -> None:
    pages = [Page(connected, "logs=web") for _ in range(3)]
    threads = [threading.Thread(target=page.lines, args=(2,), daemon=True) for page in pages]
    for thread in threads:
        thread.start()
    wait_until(lambda: follows(reader) == 1, allowed(20), "a worker was asked to follow")
    reader.write(1, 2)
    for thread in threads:
        thread.join(allowed(20))
    assert ([thread.is_alive() for thread in threads], follows(reader)) == ([False] * 3, 1)


def test_events_and_lines_come_in_one_stream(connected: Api, reader: Reader) -> None:
    page = Page(connected, "logs=web&tail=10")
    connected.post("/api/tokens", json={"name": "first", "scopes": ["read"]})
    assert page.until(lambda message: message["event"] == "token.created")
    wait_until(lambda: follows(reader) == 1, allowed(20), "a worker was asked to follow")
    reader.write(1)
    assert page.lines(1)[0] == ["line 1"]
    page.close()


def test_lines_written_while_no_page_was_there_come_when_it_returns(connected: Api, reader: Reader) -> None:
    reader.write(1, 2)
    page = Page(connected, "logs=web&tail=10")
    seen, last = page.lines(2)
    page.close()
    connected.post("/api/tokens", json={"name": "made-between", "scopes": ["read"]})
    reader.write(3)
    again = Page(connected, "logs=web&tail=10", last)
    messages = again.until(lambda message: message["event"] == "log")
    assert seen == ["line 1", "line 2"]
    kinds = [message["event"] for message in messages if not message["event"].startswith("job.")]
    assert kinds == ["token.created", "log"]
    assert json.loads(messages[-1]["data"])["line"] == "line 3"
    again.close()


def test_a_page_that_is_cut_off_before_its_first_message_misses_nothing(connected: Api, reader: Reader) -> None:
    page = Page(connected, "logs=web&tail=10")
    page.close()
    connected.post("/api/tokens", json={"name": "made-between", "scopes": ["read"]})
    again = Page(connected, "logs=web&tail=10", page.begun)
    assert again.until(lambda message: message["event"] == "token.created")
    again.close()


def test_a_page_that_is_cut_off_inside_a_batch_gets_the_rest(connected: Api, reader: Reader) -> None:
    reader.write(1, 2, 3)
    page = Page(connected, "logs=web&tail=10")
    _, last = page.lines(1)
    page.close()
    again = Page(connected, "logs=web&tail=10", last)
    assert again.lines(2)[0] == ["line 2", "line 3"]
    again.close()


@pytest.mark.parametrize(
    ("query", "status"), [("logs=absent", 404), ("logs=fn", 404), ("after=x", 422), ("after=1-2;web", 422)]
)
def test_a_stream_of_nothing_is_refused_before_it_begins(connected: Api, query: str, status: int) -> None:
    shared.add_live(connected.database, "fn")
    assert connected.get(f"/api/stream?{query}").status_code == status
