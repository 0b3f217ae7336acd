"""The nest (the container in which crun starts runs) of a test's Norn: waiting until runs start in it, and looking for
remains of runs in it and beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import httpx
from docker.models.containers import Container

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.nest.own_image import image_tag
from tests.e2e.stack import Stack
from tests.nest import with_base
from tests.servers import allowed, wait_until

ROADS = ("nest", "docker")
SETTING = {"nest": "auto", "docker": "off"}
"""The value of NORN_NEST with which calls run in the nest, and the one with which they run in Docker."""
_NEST = "norn-nest-"
_LASTING = ("/r/", "/run/nest/roots/", "/run/nest/net/")
"""The places of mounts that stay after a run: the roots of images, and the networks that the nest makes in advance."""
_RUNS = "run/nest/runs"
_LAUNCHERS = 16
"""The number of sandboxes (the directory and cgroups of one run each) that the nest makes in advance. A process, its
launcher, waits in each and becomes crun when a run starts.
"""
_CGROUPS = Path("/sys/fs/cgroup")
_PATTERNS = ("*/docker/{}", "docker/{}", "system.slice/docker-{}.scope")
"""The paths of a container's cgroup: with version 1, with version 2, and with version 2 where systemd manages the
cgroups.
"""


def address_of(stack: Stack) -> str:
    """Returns the address of the engine of a Norn."""
    return stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def await_nest(stack: Stack, classes: tuple[str, ...] = ("invoke", "cron")) -> None:
    """Makes the image on which the nest's image is built, if necessary, and waits until workers of these classes start
    runs in the nest.
    """
    if stack.environment.get("NORN_NEST") != "auto":
        return
    engine = EngineClient(address_of(stack))
    if engine.image(image_tag()) is None:
        with_base(engine)
    ready = "SELECT count(*) FROM workers WHERE 'runtime:nest' = ANY(capabilities) AND class = ANY(%s)"
    wait_until(lambda: stack.rows(ready, list(classes))[0]["count"] >= len(classes), allowed(240), "the nest is ready")


def bearer(stack: Stack, **more: str) -> dict[str, str]:
    """Returns the headers of a request with the first token of a Norn."""
    return {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}", **more}


def client(stack: Stack, seconds: float, **headers: str) -> httpx.Client:
    """Returns a client of a Norn for any number of threads."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.Client(base_url=stack.url, headers=bearer(stack, **headers), timeout=seconds, limits=limits)


@contextmanager
def _containers(stack: Stack) -> Iterator[list[Container]]:
    found = docker.DockerClient(base_url=address_of(stack))
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    chosen = {"label": f"norn.io/instance={instance}"}
    try:
        yield found.containers.list(all=True, ignore_removed=True, filters=chosen)
    finally:
        found.close()


@dataclass(frozen=True)
class Inside:
    """The nest of a Norn as the machine sees it: its first process, its files and its cgroups."""

    pid: int = 0
    cgroups: tuple[Path, ...] = ()

    @property
    def root(self) -> Path:
        """The root directory of the nest."""
        return Path(f"/proc/{self.pid}/root")

    def names(self, directory: str) -> list[str]:
        """Returns the names in a directory of the nest; none if it does not exist."""
        found = self.root / directory
        return sorted(each.name for each in found.iterdir()) if self.pid and found.is_dir() else []

    def mounts(self) -> int:
        """Returns the number of mounts of the nest, without those of images and of networks."""
        lines = Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines() if self.pid else []
        return sum(1 for line in lines if not line.split()[4].startswith(_LASTING))

    def waiting(self) -> set[str]:
        """Returns the names of the sandboxes that the nest has made in advance: nothing is in their directories."""
        found = self.root / _RUNS
        names = self.names(_RUNS)
        return {each for each in names if (found / each).is_dir() and not any((found / each).iterdir())}

    def sandboxes(self) -> set[str]:
        """Returns the names of the sandboxes that have cgroups, without those that wait for a run."""
        found = {each.name for parent in self.cgroups for each in parent.glob("nest/*") if each.is_dir()}
        return found - self.waiting()

    def limits(self) -> list[int]:
        """Returns the memory limit of each sandbox that has processes, in bytes; a launcher has no limit yet."""
        found = []
        for parent in self.cgroups:
            for file in (*parent.glob("nest/*/memory.limit_in_bytes"), *parent.glob("nest/*/memory.max")):
                with suppress(OSError, ValueError):
                    if (file.parent / "cgroup.procs").read_text().strip():
                        found.append(int(file.read_text()))
        return [each for each in found if each < _NO_LIMIT]


def inside(stack: Stack) -> Inside:
    """Returns the nest of a Norn; an empty one if it has none that runs."""
    with _containers(stack) as found:
        for each in found:
            if each.name.startswith(_NEST) and each.status == "running":
                cgroups = (path for pattern in _PATTERNS for path in _CGROUPS.glob(pattern.format(each.id)))
                return Inside(int(each.attrs["State"]["Pid"]), tuple(cgroups))
    return Inside()


@dataclass(frozen=True)
class Remains:
    """Everything that belongs to runs and exists now. When no run exists, all of it must be gone."""

    containers: list[str] = field(default_factory=list)
    sandboxes: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)
    mounts: int = 0
    networks: int = 0
    rows: dict[str, int] = field(default_factory=dict)


_OPEN = """SELECT (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND kind IN ('invoke', 'cron-run')
 ) AS jobs, (SELECT count(*) FROM slots WHERE job_id IS NOT NULL) AS slots,
 (SELECT count(*) FROM memory_held m JOIN jobs j ON j.id = m.job_id WHERE j.kind IN ('invoke', 'cron-run')) AS memory"""
_NO_LIMIT = 2**60
_AHEAD = 8
"""The number of networks that the nest makes in advance."""


def remains(stack: Stack) -> Remains:
    """Returns what exists of runs: on the engine, in the nest, in the data directory and in the rows."""
    nest = inside(stack)
    with _containers(stack) as found:
        containers = sorted(str(each.name) for each in found if not each.name.startswith(_NEST))
    waiting = nest.waiting()
    files = [f"{place}/{name}" for place in (_RUNS, "run/nest/crun") for name in nest.names(place)]
    files = [each for each in files if each.rpartition("/")[2] not in waiting] + sorted(waiting)[_LAUNCHERS:]
    networks = max(0, len(nest.names("run/nest/net")) - _AHEAD)
    rows = {name: int(count) for name, count in stack.rows(_OPEN)[0].items()}
    return Remains(containers, nest.sandboxes(), files, nest.mounts(), networks, rows)


def await_clean(stack: Stack, before: Remains, seconds: float) -> None:
    """Waits until nothing of any run is left; `before` is what existed before the first one."""
    try:
        wait_until(lambda: _more_than(remains(stack), before) == {}, seconds, "nothing of the runs is left")
    except AssertionError as error:
        raise AssertionError(f"{error}: {_more_than(remains(stack), before)}") from None


def _more_than(now: Remains, before: Remains) -> dict[str, object]:
    """Returns what exists now and did not exist before."""
    found: dict[str, object] = {
        "containers": sorted(set(now.containers) - set(before.containers)),
        "sandboxes": now.sandboxes, "files": now.files, "mounts": max(0, now.mounts - before.mounts),
        "networks": now.networks, "rows": {name: count for name, count in now.rows.items() if count},
    }  # fmt: skip
    return {name: each for name, each in found.items() if each}
