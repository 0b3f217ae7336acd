"""A reading of kept lines shows only the requested replicas, and ends when its reader leaves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.domain.app_logs.lines import LineBatch, LogOrigin
from norn_tasks.domain.errors import NotFound, Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.ports import LiveText, Tools
from norn_tasks.steps.log_lines import ReadLogs
from norn_tasks.steps.step import StepContext
from tests.fakes.stop import FakeStop, FakeWatch

NOW = time.time_ns()


class _Reader:
    """A fake of `ports.LiveStream` and `ports.LiveStreams`."""

    sent = None

    def __init__(self) -> None:
        self.stop = FakeStop()
        self.heard: list[str] = []

    def of_job(self, *_: object) -> _Reader:
        """Returns itself."""
        return self

    def line(self, source: str, text: str) -> None:
        """Ignores messages of Norn."""

    def lines(self, lines: Sequence[LiveText]) -> None:
        """Keeps the lines."""
        self.heard += [line.text for line in lines]

    def end(self) -> None:
        """Does nothing."""


class Reading:
    """Kept lines of one app, and a client that reads them."""

    def __init__(self, home: Path) -> None:
        self.logs = KeptLogDirectory(home, KeepLimits(2**26, 86400.0, open_bytes=1), 0, ("docker",))
        self.reader, self.watch = _Reader(), FakeWatch()
        self._at = NOW

    def wrote(self, release: int, generation: int, replica: int, *, gone: bool) -> None:
        """Keeps one line that names its container; with `gone` the container is then removed."""
        name = f"r{release}-{replica} of {generation}" + (" gone" if gone else "")
        origin = LogOrigin(name.ljust(64), release, generation, replica)
        self._at += 1
        self.logs.keep("blog", origin, LineBatch([self._at], [1], [name.encode()], {1: (self._at, 1)}))
        if gone:
            self.logs.forget_container("blog", origin)

    def shows(self, **asked: Any) -> list[str]:
        """Returns the lines for these options."""
        self.reader.heard = []
        request = ReadLogsJobRequest(**{"tail": 100, "follow": False, **asked})
        job = Job(1, request, "blog", None, Fence(1, 1), cluster="docker")
        cluster = type("Cluster", (), {"name": "docker"})()
        given = {"logs": self.logs, "live": self.reader, "clusters": {"docker": cluster}}
        tools = cast(Tools, type("SomeTools", (), given))
        with self.logs.collector("docker", 0):
            ReadLogs().run(StepContext(job, tools, self.watch.watch, cast(Any, None)))
        return self.reader.heard


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Lines of two releases: release 1 with two rollouts that are gone, and the live release 2, of which replica 1
    exists and replica 2 is gone.
    """
    made = Reading(tmp_path)
    made.wrote(1, 10, 1, gone=True)
    made.wrote(1, 15, 1, gone=True)
    made.wrote(2, 20, 1, gone=False)
    made.wrote(2, 20, 2, gone=True)
    return made


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, ["r2-2 of 20 gone"]),
        ({"release": 1}, ["r1-1 of 15 gone"]),
        ({"replica": 1}, ["r1-1 of 15 gone"]),
    ],
)
def test_previous_shows_the_newest_that_are_gone_and_asked_for(
    reading: Reading, asked: dict[str, Any], shown: list[str]
) -> None:
    assert reading.shows(previous=True, **asked) == shown


def test_previous_says_when_none_that_is_asked_for_is_gone(reading: Reading) -> None:
    reading.wrote(3, 30, 1, gone=False)
    with pytest.raises(NotFound, match="no lines of earlier replicas"):
        reading.shows(previous=True, release=3)


@pytest.mark.parametrize("asked", [{}, {"since": NOW}, {"grep": "of"}])
def test_lines_from_before_the_registration_of_the_app_are_those_of_another_one(
    reading: Reading, asked: dict[str, Any]
) -> None:
    assert reading.shows(oldest=NOW + 3, **asked) == ["r2-1 of 20", "r2-2 of 20 gone"]


def test_a_reader_who_leaves_ends_the_search_and_fails_no_job(reading: Reading) -> None:
    reading.reader.stop.set("cancelled")
    assert reading.shows() == []


def test_a_job_that_is_stopped_in_a_search_has_not_ended(reading: Reading) -> None:
    reading.reader.stop.set("draining")
    reading.watch.stop.set("draining")
    with pytest.raises(Stopped):
        reading.shows()
