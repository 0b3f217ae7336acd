"""Sockets and locks of a container, read from /proc of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.docker_cluster.examination import proc
from norn_tasks.domain.causes import OpenSocket

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 157127 1 00000000e52ef2ab 100 0 0 10 0\n"
TCP = (
    f"{HEAD}   0: 0100007F:0BB8 00000000:0000 0A {REST}"
    f"   1: 0B00007F:9E59 00000000:0000 0A {REST}"
    f"   2: 020012AC:0BB9 0A0012AC:1F90 01 {REST}"
)
TCP6 = f"{HEAD}   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A {REST}"
TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
        |-- 172.18.0.2
           /32 host LOCAL
        |-- 172.18.255.255
           /32 link BROADCAST
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A /proc with one container's first process, 7, and another process, 8, of the same namespace."""
    for pid in ("7", "8"):
        (tmp_path / pid / "net").mkdir(parents=True)
        (tmp_path / pid / "ns").mkdir()
        (tmp_path / pid / "ns" / "pid").symlink_to("pid:[4026532199]")
    for name, text in {"tcp": TCP, "tcp6": TCP6, "fib_trie": TRIE}.items():
        (tmp_path / "7" / "net" / name).write_text(text)
    (tmp_path / "locks").write_text(
        "1: FLOCK  ADVISORY  WRITE 3 08:01:5 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 8 08:01:5 0 EOF\n"
    )
    return tmp_path


def test_the_sockets_on_which_a_container_listens_are_read(tree: Path) -> None:
    """Connections and the engine's name server are left out."""
    assert proc.listening(7, "172.18.0.2", tree) == (OpenSocket("127.0.0.1", 3000), OpenSocket("::", 8080))


@pytest.mark.parametrize(("pid", "ip"), [(7, "172.18.0.9"), (9, "172.18.0.2"), (0, "172.18.0.2"), (7, "")])
def test_a_process_without_the_containers_address_is_another_machines(tree: Path, pid: int, ip: str) -> None:
    assert (proc.listening(pid, ip, tree), proc.waits_for_lock(pid, ip, tree)) == (None, False)


def test_a_process_of_the_container_that_waits_for_a_lock_is_seen(tree: Path) -> None:
    assert proc.waits_for_lock(7, "172.18.0.2", tree)


def test_a_lock_that_another_container_waits_for_is_not_its(tree: Path) -> None:
    (tree / "8" / "ns" / "pid").unlink()
    (tree / "8" / "ns" / "pid").symlink_to("pid:[1]")
    assert not proc.waits_for_lock(7, "172.18.0.2", tree)
