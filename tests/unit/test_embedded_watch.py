"""The wait of `norn up`: it ends when everything responds, and names the process that does not start."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths, data_paths, make
from norn_tasks.embedded.supervision.supervisor import Process
from norn_tasks.embedded.supervision.watch import ProcessWatch


class Supervisor:
    """A supervisor that returns the given states one after the other, and repeats the last one."""

    def __init__(self, answers: Iterator[tuple[Process, ...]]) -> None:
        self._answers = answers

    def processes(self) -> tuple[Process, ...]:
        return next(self._answers)


def process(name: str, state: str = "RUNNING", began: int = 1) -> Process:
    return Process(name, state, 42, began, 100)


@pytest.fixture
def where(tmp_path: Path) -> DataPaths:
    made = data_paths(tmp_path / "norn")
    make(made)
    (made.log / "api.log").write_text("".join(f"line {n}\n" for n in range(1, 31)))
    return made


def test_the_wait_ends_when_it_is_done(where: DataPaths) -> None:
    looks = iter([False, False, True])
    ProcessWatch(where, Supervisor(repeat((process("api"),)))).until(lambda: next(looks), "api", 5)


def test_a_process_that_keeps_dying_is_named_with_the_end_of_its_log(where: DataPaths) -> None:
    deaths = ((process("api", "BACKOFF", began),) for began in count(1))
    with pytest.raises(NotStarted) as failed:
        ProcessWatch(where, Supervisor(deaths)).until(lambda: False, "api", 60)
    assert failed.value.sentence.startswith("api ends as soon as it is started")
    assert "line 30" in failed.value.sentence
    assert "line 15\n" not in failed.value.sentence
    assert str(where.log / "api.log") in failed.value.hint


def test_a_process_that_died_once_is_waited_for(where: DataPaths) -> None:
    looks = iter([False] * 5 + [True])
    states = chain([(process("api", "BACKOFF", 1),)], repeat((process("api", "RUNNING", 2),)))
    ProcessWatch(where, Supervisor(states)).until(lambda: next(looks), "api", 5)


def test_a_process_that_the_supervisor_gave_up_is_named(where: DataPaths) -> None:
    with pytest.raises(NotStarted, match="api ends as soon as it is started"):
        ProcessWatch(where, Supervisor(repeat((process("api", "FATAL", 0),)))).until(lambda: False, "api", 60)


def test_silence_is_a_sentence_after_the_time(where: DataPaths) -> None:
    with pytest.raises(NotStarted, match="api does not answer after 0 s"):
        ProcessWatch(where, Supervisor(repeat((process("api"),)))).until(lambda: False, "api", 0.2)
