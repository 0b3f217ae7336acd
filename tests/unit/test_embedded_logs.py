"""`logs`: the last lines of several files together, followed while the files are rotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.domain.errors import NotFound
from norn_tasks.embedded.logs import Growing, logs
from norn_tasks.embedded.supervision.watch import tail
from norn_tasks.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    log = tmp_path / "log"
    log.mkdir()
    (log / "api.log").write_text("one\ntwo\nthree\n")
    (log / "beat.log").write_text("tick\n")
    return Settings(data_dir=tmp_path)


def test_all_logs_are_shown_with_their_process(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs(settings, "", lines=2, follow=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["api", "|", "two"], ["api", "|", "three"], ["beat", "|", "tick"]]


def test_the_log_of_one_process_is_shown_as_it_is(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs(settings, "beat", lines=20, follow=False)
    assert capsys.readouterr().out == "tick\n"


def test_the_log_of_a_part_is_that_of_the_process_it_is_in(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.data_dir / "log" / "worker.log").write_text("shared\n")
    for part in ("beat", "worker-deploy"):
        logs(settings, part, lines=20, follow=False)
    logs(settings.model_copy(update={"embedded_processes": "separate"}), "beat", lines=20, follow=False)
    assert capsys.readouterr().out == "shared\nshared\ntick\n"


def test_an_unknown_process_is_refused_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(NotFound) as refused:
        logs(settings, "web", lines=20, follow=False)
    assert refused.value.hint == "there are: api, beat"


@pytest.mark.parametrize(("process", "typed"), [("", "docker-compose logs;"), ("api", "docker-compose logs api;")])
def test_where_norn_up_writes_none_the_containers_logs_are_named(tmp_path: Path, process: str, typed: str) -> None:
    with pytest.raises(NotFound) as refused:
        logs(Settings(data_dir=tmp_path), process, lines=2, follow=False)
    assert (typed in refused.value.hint, refused.value.hint.startswith("norn up")) == (True, False)


def test_a_followed_log_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("old\n")
    log = Growing(path)
    with path.open("a") as file:
        file.write("new\nhal")
        file.flush()
        assert log.fresh() == ["new"]
        file.write("f\n")
    assert log.fresh() == ["half"]
    assert log.fresh() == []


def test_a_rotated_log_is_followed_into_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("")
    log = Growing(path)
    path.write_text("last of the old\n")
    path.rename(tmp_path / "api.log.1")
    path.write_text("first of the new\n")
    assert log.fresh() == ["last of the old", "first of the new"]


def test_bytes_that_are_no_text_do_not_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\xff\xfe ok\n")
    assert tail(tmp_path / "x.log", 5)[0].endswith(" ok")
