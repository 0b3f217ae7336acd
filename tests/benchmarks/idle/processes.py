"""The processes of a Norn and of the container engine, by name, and the memory, CPU time and wake-ups of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.lock import holder
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.router_socket import running_router
from tests.benchmarks.processes import descendants, own_seconds

ENGINE = "(engine)"
"""The name of the container engine, which is not a process of Norn but works for it."""
_PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """The usage of some processes: KiB of memory now, seconds of CPU time and, by pid, wake-ups since their starts."""

    processes: int
    pss_kib: int
    cpu: float
    wakeups: Mapping[int, int]

    @classmethod
    def of(cls, pids: Iterable[int]) -> Usage:
        """Returns the usage of these processes together."""
        pids = list(pids)
        return cls(len(pids), sum(map(_pss, pids)), sum(map(own_seconds, pids)), {pid: _wakeups(pid) for pid in pids})

    def wakeups_since(self, first: Usage) -> int:
        """Returns the number of wake-ups since `first` was measured; only processes that lived at both moments
        count.
        """
        return sum(count - first.wakeups[pid] for pid, count in self.wakeups.items() if pid in first.wakeups)


def usages(where: DataPaths) -> dict[str, Usage]:
    """Returns the usage of each process of a running Norn, with its children, and the usage of the engine."""
    known, router = holder(where.lock), running_router(postgres.url(where))
    assert known is not None, "Norn does not run"
    assert router is not None, "no router runs"
    supervised = {each.name: [each.pid, *descendants(each.pid)] for each in Control(where.control).processes()}
    found = {"supervisor": [known.pid], **supervised, "router": [_parent(router.pid), router.pid], ENGINE: _engine()}
    return {name: Usage.of(pids) for name, pids in found.items()}


def _engine() -> list[int]:
    return [int(comm.parent.name) for comm in _PROC.glob("[0-9]*/comm") if _read(comm).strip() in _ENGINE_PROGRAMS]


_ENGINE_PROGRAMS = ("dockerd", "containerd")


def _pss(pid: int) -> int:
    return _number(_PROC / str(pid) / "smaps_rollup", "Pss:")


def _wakeups(pid: int) -> int:
    return sum(_number(file, "voluntary_ctxt_switches:") for file in (_PROC / str(pid)).glob("task/*/status"))


def _parent(pid: int) -> int:
    return _number(_PROC / str(pid) / "status", "PPid:")


def _number(file: Path, field: str) -> int:
    """Returns the number in a line of a file of /proc; 0 if the process has ended."""
    return next((int(line.split()[1]) for line in _read(file).splitlines() if line.startswith(field)), 0)


def _read(file: Path) -> str:
    with suppress(OSError):
        return file.read_text()
    return ""
