"""Only one Norn may use a data directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from norn_tasks.domain.errors import AlreadyRunning
from norn_tasks.embedded.lock import Lock, held, holder


def test_a_second_start_is_refused_with_pid_and_time(tmp_path: Path) -> None:
    first = Lock(tmp_path / "lock")
    first.write_holder(4711, "http://127.0.0.1:8800")
    with pytest.raises(AlreadyRunning, match=r"already running here \(pid 4711, since \d{4}-\d\d-\d\d \d\d:\d\d\)"):
        Lock(tmp_path / "lock")
    first.close()


def test_a_refusal_leaves_the_lock_to_its_holder(tmp_path: Path) -> None:
    first = Lock(tmp_path / "lock")
    with pytest.raises(AlreadyRunning):
        Lock(tmp_path / "lock")
    assert held(tmp_path / "lock")
    first.close()


def test_a_closed_lock_can_be_taken_again(tmp_path: Path) -> None:
    Lock(tmp_path / "lock").close()
    assert not held(tmp_path / "lock")
    Lock(tmp_path / "lock").close()


def test_a_process_that_inherited_the_lock_keeps_it_until_it_dies(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    heir = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(lock.fd,)
    )
    lock.close()
    assert held(tmp_path / "lock")
    heir.kill()
    heir.communicate()
    assert not held(tmp_path / "lock")


def test_nobody_holds_a_lock_that_is_not_there(tmp_path: Path) -> None:
    assert not held(tmp_path / "lock")
    assert holder(tmp_path / "lock") is None


def test_only_we_can_read_who_holds_it(tmp_path: Path) -> None:
    Lock(tmp_path / "lock").close()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_lock_with_other_contents_has_an_unknown_holder(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    assert holder(tmp_path / "lock") is None
