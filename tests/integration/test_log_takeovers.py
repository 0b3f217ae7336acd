"""A worker that reads an app's log lines dies: another one continues, and the client gets each line once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from norn_api.streaming.live_reading import LiveReading
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.domain.app_logs.lines import LineBatch, LogOrigin, LogQuestion, TakeLines
from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.ports import Stop, Tools
from norn_tasks.steps.log_lines import ReadLogs
from norn_tasks.steps.step import StepContext
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store_adapters.live_streams import BrokerStreams
from tests.fakes.stop import FakeWatch
from tests.servers import Broker

JOB = 7
SECOND = 10**9
ONE, OTHER = LogOrigin("1" * 64, 1, 10, 1), LogOrigin("2" * 64, 1, 10, 2)


class Dying(KeptLogDirectory):
    """Kept lines whose reader dies: it sends the lines that exist, and is then stopped as if its worker had died."""

    def read(
        self, app: str, question: LogQuestion, take: TakeLines, follow: Stop | None = None, stop: Stop | None = None
    ) -> None:
        super().read(app, question, take, None, stop)
        raise Stopped("the worker is dead", reason="lease_lost")


class Reading:
    """Kept lines of one app, and the client that reads them through one worker after another."""

    def __init__(self, home: Path, broker: Broker) -> None:
        self.live, self.logs = Live(broker.url), Dying(home, KeepLimits(2**26, 86400.0), 0, ("docker",))
        self._reading = LiveReading(self.live, cast(Database, None), JOB)
        self._began = time.time_ns() - 3600 * SECOND

    def wrote(self, origin: LogOrigin, second: int, *texts: str) -> None:
        """Keeps lines that all have the same timestamp."""
        at, lines = self._began + second * SECOND, [text.encode() for text in texts]
        batch = LineBatch([at] * len(lines), [1] * len(lines), lines, {1: (at, len(lines))})
        self.logs.keep("blog", origin, batch)

    def worked(self, tail: int, *, follow: bool = True) -> None:
        """Lets a worker send the existing lines, and die."""
        watch = FakeWatch(job=JOB)
        watch.stop.set("lease_lost")
        cluster = type("Cluster", (), {"name": "docker"})()
        given = {"logs": self.logs, "live": BrokerStreams(self.live), "clusters": {"docker": cluster}}
        job = Job(JOB, ReadLogsJobRequest(tail, follow), "blog", None, Fence(JOB, 1), cluster="docker")
        with pytest.raises(Stopped):
            ReadLogs().run(StepContext(job, cast(Tools, type("T", (), given)), watch.watch, cast(Any, None)))

    def gets(self) -> list[str]:
        """Returns the lines that the client gets."""
        return [line.line for line in self._reading.more(0.2)]


@pytest.fixture
def reading(tmp_path: Path, broker: Broker) -> Iterator[Reading]:
    broker.client().flushall()
    made = Reading(tmp_path, broker)
    with made.logs.collector("docker", 0):
        yield made


def test_lines_of_the_time_without_a_worker_come_and_none_comes_twice(reading: Reading) -> None:
    reading.wrote(ONE, 1, "old")
    reading.wrote(ONE, 2, "a", "b")
    reading.wrote(OTHER, 2, "c")
    reading.worked(tail=3)
    assert reading.gets() == ["a", "b", "c"]
    reading.wrote(ONE, 2, "d")
    reading.wrote(OTHER, 3, "e")
    reading.worked(tail=3)
    assert reading.gets() == ["d", "e"]
    reading.wrote(OTHER, 3, "f")
    reading.worked(tail=3)
    assert reading.gets() == ["f"]


def test_a_reading_of_the_past_is_repeated_and_only_new_lines_come(reading: Reading) -> None:
    for second in range(3):
        reading.wrote(ONE, second, f"{second}")
    reading.worked(tail=3, follow=False)
    reading.wrote(ONE, 3, "3")
    assert reading.gets() == ["0", "1", "2"]
    reading.worked(tail=3, follow=False)
    assert reading.gets() == ["3"]


def test_a_quiet_stream_is_kept_while_its_reader_is_there(reading: Reading, broker: Broker) -> None:
    reading.wrote(ONE, 1, "a")
    reading.worked(tail=1)
    broker.client().expire(f"norn:live:{JOB}", 5)
    assert reading.gets() == ["a"]
    assert int(broker.client().ttl(f"norn:live:{JOB}")) > 50  # type: ignore[arg-type]
