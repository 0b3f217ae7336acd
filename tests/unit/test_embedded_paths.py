"""The data directory of `norn up`: only its owner may read it, and the paths of its sockets are short enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import SOCKET_DIRECTORY_MAX, data_paths, make


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_data_directory_is_closed_to_others(tmp_path: Path) -> None:
    where = data_paths(tmp_path / "norn")
    make(where)
    assert [mode(path) for path in (where.data, where.run, where.log)] == [0o700] * 3


def test_an_empty_directory_that_others_can_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "norn").mkdir(mode=0o755)
    make(data_paths(tmp_path / "norn"))
    assert mode(tmp_path / "norn") == 0o700


def test_a_directory_with_contents_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home" / "photos").mkdir(parents=True)
    (tmp_path / "home").chmod(0o755)
    with pytest.raises(NotStarted) as refused:
        make(data_paths(tmp_path / "home"))
    assert "is open to others" in refused.value.sentence
    assert mode(tmp_path / "home") == 0o755


def test_a_file_in_place_of_the_data_directory_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "norn").write_text("")
    with pytest.raises(NotStarted, match="cannot be used"):
        make(data_paths(tmp_path / "norn"))


def test_making_twice_changes_nothing(tmp_path: Path) -> None:
    where = data_paths(tmp_path / "norn")
    make(where)
    make(where)
    assert mode(where.data) == 0o700


def test_sockets_are_in_the_data_directory_when_its_path_is_short() -> None:
    assert data_paths(Path("/srv/norn")).run == Path("/srv/norn/run")


@pytest.mark.parametrize("name", ["x" * SOCKET_DIRECTORY_MAX, "with a space", "comma,comma", 'quote"', "naïve"])
def test_sockets_have_a_short_plain_directory_of_their_own_else(name: str) -> None:
    run = data_paths(Path("/srv") / name).run
    assert not run.is_relative_to("/srv")
    assert len(str(run)) <= SOCKET_DIRECTORY_MAX


def test_the_short_directory_is_the_same_at_each_start_and_another_for_other_data() -> None:
    one, again, other = (data_paths(Path("/srv") / ("x" * 90) / name).run for name in ("a", "a", "b"))
    assert one == again != other


def test_a_data_directory_behind_a_link_is_the_one_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert data_paths(tmp_path / "link") == data_paths(tmp_path / "disk")


@pytest.mark.parametrize("name", ["100%", "two\nlines", "a ;comment", "a #comment"])
def test_a_path_that_the_supervisor_cannot_write_down_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotStarted, match="cannot write down the path"):
        make(data_paths(tmp_path / name))
