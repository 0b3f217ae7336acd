"""The files of kept log lines: found again after a restart, limited in size; a killed process loses and doubles no
line.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.kept_logs.reading import LogReading
from norn_tasks.adapters.kept_logs.records import LineRecord, encoded
from norn_tasks.domain.app_logs.lines import DROPPED, KeptLine, LineBatch, LogOrigin, LogQuestion
from norn_tasks.domain.app_logs.pattern import compiled
from norn_tasks.domain.errors import DiskFull, InvalidRequest, Stopped
from tests.fakes.stop import FakeStop

OLD, NEW = LogOrigin("a" * 64, 1, 10, 1), LogOrigin("b" * 64, 2, 20, 1)
NOW = time.time_ns()
LIMITS = KeepLimits(64 * 2**20, 86400.0)
SMALL = KeepLimits(64 * 2**20, 86400.0, open_bytes=32 * 1024)


def opened(home: Path, limits: KeepLimits = LIMITS, least_free: int = 0) -> KeptLogDirectory:
    return KeptLogDirectory(home / "app-logs", limits, least_free)


def batch(first: int, texts: Sequence[str], stream: int = 1) -> LineBatch:
    times = range(first, first + len(texts))
    return LineBatch(times, [stream] * len(texts), [text.encode() for text in texts], {stream: (times[-1], 1)})


def found(logs: KeptLogDirectory, **asked: object) -> list[str]:
    lines: list[KeptLine] = []
    logs.read("blog", LogQuestion(**asked), lines.extend)  # type: ignore[arg-type]
    return [line.text.decode() for line in lines]


def filled(home: Path, count: int = 5000, each: int = 50, limits: KeepLimits = SMALL) -> KeptLogDirectory:
    """Keeps `count` lines, `each` at a time: the first half of one container, the rest of another. With `SMALL` the
    sealed files are small.
    """
    logs = opened(home, limits)
    for first in range(0, count, each):
        origin = OLD if first < count // 2 else NEW
        logs.keep("blog", origin, batch(NOW + first, [f"line {n} x{n % 7}" for n in range(first, first + each)]))
    return logs


def test_the_last_lines_are_found_across_files_and_processes(tmp_path: Path) -> None:
    filled(tmp_path)
    again = opened(tmp_path)
    assert len(list((tmp_path / "app-logs/blog").glob("*.chunk"))) >= 3
    assert found(again, tail=3) == ["line 4997 x6", "line 4998 x0", "line 4999 x1"]
    assert found(again, tail=10_000) == [f"line {n} x{n % 7}" for n in range(5000)]


@pytest.mark.parametrize(
    ("asked", "first", "last", "count"),
    [
        ({"grep": "line 1[0-9]{3} x3$"}, "line 1004 x3", "line 1998 x3", 143),
        ({"grep": r"\Aline 7 |^line 4999\b"}, "line 7 x0", "line 4999 x1", 2),
        ({"grep": "x6"}, "line 6 x6", "line 4997 x6", 714),
        ({"grep": "(?i)LINE 77 "}, "line 77 x0", "line 77 x0", 1),
        ({"grep": r"x0\s"}, None, None, 0),
        ({"grep": r"x0\Cline"}, None, None, 0),
        ({"grep": r"line 7\Cx0"}, "line 7 x0", "line 7 x0", 1),
        ({"release": 1}, "line 0 x0", "line 2499 x0", 2500),
        ({"containers": frozenset({NEW.container}), "grep": "x1"}, "line 2500 x1", "line 4999 x1", 358),
        ({"since": NOW + 4990}, "line 4990 x6", "line 4999 x1", 10),
        ({"until": NOW + 3}, "line 0 x0", "line 2 x2", 3),
        ({"replica": 2}, None, None, 0),
    ],
)
def test_a_question_finds_its_lines_and_no_others(
    tmp_path: Path, asked: dict[str, object], first: str, last: str, count: int
) -> None:
    lines = found(filled(tmp_path), tail=10_000, **asked)
    assert (lines[0] if lines else None, lines[-1] if lines else None, len(lines)) == (first, last, count)


def test_a_bad_expression_is_refused_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"grep: this is not a regular expression: missing \): \(a"):
        found(opened(tmp_path), grep="(a")


@pytest.mark.parametrize("end", ["[^~]", r"\s", r"\x0a", r"[\s\S]", r"\P{Greek}", "(?:a|\n)"])
def test_an_expression_matches_no_line_end(end: str) -> None:
    assert compiled(f"x{end}+y", "(?m)").search(b"x\ny") is None


def test_a_search_ends_when_its_stop_is_set(tmp_path: Path) -> None:
    logs, stop = filled(tmp_path), FakeStop()
    stop.set("cancelled")
    with pytest.raises(Stopped):
        logs.read("blog", LogQuestion(tail=10_000), lambda _: None, stop=stop)


def test_the_oldest_lines_go_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    logs = filled(tmp_path, count=20_000, limits=KeepLimits(64 * 1024, 86400.0, open_bytes=32 * 1024))
    size = sum(path.stat().st_size for path in (tmp_path / "app-logs/blog").iterdir())
    lines = found(logs, tail=20_000)
    assert (size <= 64 * 1024, lines[-1], 100 < len(lines) < 20_000) == (True, "line 19999 x0", True)
    # the position stays, although all lines of this container are gone
    assert logs.position("blog", OLD.container) == {1: (NOW + 9999, 1)}


def test_lines_that_are_too_old_are_not_shown_and_are_deleted_with_positions_kept(tmp_path: Path) -> None:
    logs = opened(tmp_path, KeepLimits(64 * 2**20, 3600.0))
    logs.keep("blog", OLD, batch(NOW - 7200 * 10**9, ["old"]))
    assert found(logs) == []
    file = next((tmp_path / "app-logs/blog").glob("*.open"))
    os.utime(file, (time.time() - 7200, time.time() - 7200))
    logs.trim()
    assert [path.stat().st_size < 400 for path in (tmp_path / "app-logs/blog").glob("*.chunk")] == [True]
    assert not file.exists() and logs.position("blog", OLD.container) == {1: (NOW - 7200 * 10**9, 1)}


def test_a_record_that_was_cut_off_is_neither_shown_nor_in_the_way(tmp_path: Path) -> None:
    logs = opened(tmp_path)
    logs.keep("blog", OLD, batch(NOW, ["one"]))
    file = next((tmp_path / "app-logs/blog").glob("*.open"))
    whole = encoded(LineRecord(OLD, batch(NOW + 1, ["two"])))
    for cut in (1, 8, 20, len(whole) - 1):
        with file.open("ab") as end:
            end.write(whole[:cut])
        fresh = opened(tmp_path)
        assert (found(fresh), fresh.position("blog", OLD.container)) == (["one"], {1: (NOW, 1)})
    logs.keep("blog", OLD, batch(NOW + 1, ["two"]))
    assert found(opened(tmp_path)) == ["one", "two"]


def test_a_writer_that_is_killed_at_any_moment_keeps_each_line_once(tmp_path: Path) -> None:
    for _ in range(5):
        child = os.fork()
        if child == 0:
            logs = opened(tmp_path, SMALL)
            kept = logs.position("blog", OLD.container).get(1, (NOW - 1, 1))[0]
            for first in itertools.count(kept + 1, 20):
                logs.keep("blog", OLD, batch(first, [str(first - NOW + n) for n in range(20)]))
        time.sleep(0.15)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    lines = found(opened(tmp_path), tail=10**6)
    assert lines == [str(n) for n in range(len(lines))] and len(lines) > 1000


def test_a_follower_gets_each_line_once_while_files_are_sealed(tmp_path: Path) -> None:
    import threading

    logs, lines, stop = filled(tmp_path, count=500), [], FakeStop()
    reader = threading.Thread(
        target=lambda: opened(tmp_path).read("blog", LogQuestion(tail=2), lambda more: lines.extend(more), stop)
    )
    reader.start()
    while not lines:
        time.sleep(0.01)
    for first in range(500, 6000, 50):
        logs.keep("blog", NEW, batch(NOW + first, [f"line {n}" for n in range(first, first + 50)]))
    deadline = time.monotonic() + 10
    while len(lines) < 5502 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set("cancelled")
    reader.join(5)
    assert [line.text.decode().split()[1] for line in lines] == [str(n) for n in range(498, 6000)]


def test_a_follower_that_is_too_slow_goes_on_and_is_given_a_note(tmp_path: Path) -> None:
    limits = KeepLimits(64 * 1024, 86400.0, open_bytes=32 * 1024)
    reading, lines, stop = LogReading(tmp_path / "app-logs/blog"), [], FakeStop()
    assert reading.lines(LogQuestion()) == []
    filled(tmp_path, count=20_000, limits=limits)

    def take(more: Sequence[KeptLine]) -> None:
        lines.extend(line.text.decode() for line in more)
        if lines[-1].startswith("line 19999 "):
            stop.set("cancelled")

    reading.follow(LogQuestion(), take, stop)
    assert (lines[0], len(lines) < 20_000) == (DROPPED, True)


def test_the_containers_of_all_kept_lines_are_known(tmp_path: Path) -> None:
    assert filled(tmp_path).origins("blog") == {OLD, NEW}


def test_nobody_else_can_read_what_is_kept(tmp_path: Path) -> None:
    filled(tmp_path)
    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "app-logs").rglob("*") if path.is_file()}
    directories = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "app-logs", tmp_path / "app-logs/blog")}
    assert (modes, directories) == ({"0o600"}, {"0o700"})


def test_on_a_full_disk_nothing_is_kept_and_why_is_said(tmp_path: Path) -> None:
    logs = opened(tmp_path, least_free=2**62)
    with pytest.raises(DiskFull, match="free, and logs are not kept"):
        logs.keep("blog", OLD, batch(NOW, ["one"]))
    assert "its disk has" in logs.trouble("docker") and logs.position("blog", OLD.container) == {}


def test_a_gone_container_is_forgotten_and_an_app_is_deleted(tmp_path: Path) -> None:
    logs = filled(tmp_path)
    logs.forget_container("blog", OLD)
    assert opened(tmp_path).containers("blog") == (NEW.container,)
    assert logs.forget("blog") > 0 and (found(logs), logs.apps()) == ([], ())


def test_a_damaged_file_costs_its_own_lines_only(tmp_path: Path) -> None:
    logs = filled(tmp_path)
    first, *_ = sorted((tmp_path / "app-logs/blog").glob("*.chunk"))
    data = first.read_bytes()
    first.write_bytes(data[:-20] + bytes(20))
    assert 0 < len(found(logs, tail=10_000)) < 5000 and found(logs, tail=1) == ["line 4999 x1"]
    first.write_bytes(b"x" * 100)
    assert 0 < len(found(logs, tail=10_000)) < 5000
