"""The nest itself (the container in which crun starts runs): its rights, its socket, its end. No run leaves anything or
sees anything of another.

The image of the nest is built first; on a new machine its base image is built too, which takes minutes. Properties that
all runtimes share are tested in `test_runtime.py`, `test_runtime_hardening.py` and `test_runtime_programs.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.keeper import CAPABILITIES, NestKeeper
from norn_tasks.adapters.nest.roads import Nest, TwoRoads, fits
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Mount, Run, Runtime
from tests.contract.conftest import IMAGE
from tests.contract.moments import once, runs
from tests.fakes.stop import FakeWatch
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(600)


@dataclass
class Owner:
    """Hooks that record nothing."""

    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        """Notes nothing."""


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("true",), env={}, timeout=30,
        memory=32 * 2**20, cpus=1, network="none", grace=0.3, logged=False,
    )  # fmt: skip


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def ran(runtime: Runtime, run: Run) -> ContainerExit:
    return runtime.run(run, Owner(), FakeWatch().watch)


def test_calls_at_once_share_nothing(in_nest: NestRuntime, base: Run) -> None:
    """Each run writes a file and a variable of its own, and looks for those of others."""
    found: list[bytes] = []
    script = "ls /tmp; echo $MARK > /tmp/$MARK; cat; cat /tmp/*; ls /proc | grep -c '^[0-9]'; env | grep -c '^MARK='"

    def some(first: int) -> None:
        for n in range(first, first + 2):
            run = replace(
                base, name=f"{base.name}-{n}", argv=sh(script), env={"MARK": f"m{n}"}, stdin=f"b{n}\n".encode()
            )
            said = ran(in_nest, run).stdout.head.split()
            found.extend([b" ".join(said[:2])] if said[:2] == [f"b{n}".encode(), f"m{n}".encode()] else [b"wrong"])

    threads = [threading.Thread(target=some, args=[100 * n]) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(set(found)), len(found), b"wrong" in found) == (10, 10, False)


POLICY = {
    "CapAdd": sorted(CAPABILITIES),
    "CapDrop": ["ALL"],
    "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
    "NetworkMode": "norn-runs",
    "IpcMode": "private",
    "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
    "Tmpfs": {"/run": "rw,nosuid,nodev,mode=700"},
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
}


def test_the_nest_has_the_rights_of_its_policy_and_nothing_more(nest: NestKeeper) -> None:
    """For a container without special options, the engine lists these rights as empty."""
    found = nest._client.ask(lambda client: client.inspect_container(nest.name))
    host = found["HostConfig"] | {"CapAdd": sorted(found["HostConfig"]["CapAdd"])}
    keys = (
        "Privileged CapAdd CapDrop SecurityOpt NetworkMode ReadonlyRootfs Tmpfs Mounts Devices DeviceRequests PidMode "
        "IpcMode UTSMode UsernsMode PortBindings RestartPolicy AutoRemove LogConfig OomScoreAdj VolumesFrom ExtraHosts "
        "GroupAdd Sysctls DeviceCgroupRules"
    )
    assert {key: host[key] for key in keys.split() if host.get(key)} == POLICY
    assert host["Binds"] == [f"{nest.door.directory}:/door", f"{nest.volume}:/r"]
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == ([], [])


def test_nothing_of_a_run_is_left_in_the_nest(nest: NestKeeper, in_nest: NestRuntime, base: Run) -> None:
    """Only launchers are left: processes that wait for the next runs."""

    def some(first: int) -> None:
        for n in range(first, first + 4):
            argv = (("true",), sh("sleep 60 & exit 3"), ("nosuch",), sh("kill -9 $$"))[n % 4]
            ran(in_nest, replace(base, name=f"{base.name}-{n}", argv=argv, network="bridge" if n % 3 else "none"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(0, 64, 4)))
    comes_to_rest(nest)


_LEFT = """
import contextlib, json, os, pathlib
ready = set(os.listdir("/run/nest/runs"))
own = pathlib.Path("/sys/fs/cgroup")
places = [own / "nest"] if (own / "cgroup.controllers").exists() else [
    each / "nest" for each in own.iterdir() if (each / "nest").is_dir() and not each.is_symlink()]
found = {str(place): [each.name for each in place.iterdir() if each.is_dir() and each.name not in ready]
    for place in places}
found["crun"] = os.listdir("/run/nest/crun") if os.path.isdir("/run/nest/crun") else []
found["networks"] = os.listdir("/run/nest/net")[8:]
found["launchers"] = sorted(ready)[16:]
commands = []
for each in os.listdir("/proc"):
    with contextlib.suppress(OSError):
        commands.append(pathlib.Path(f"/proc/{each}/cmdline").read_bytes())
found["processes"] = [str(each) for each in commands if each.startswith((b"/run/nest/crun", b"/dev/init"))]
found["secrets"] = [str(each) for each in pathlib.Path("/run/nest/runs").rglob("config.json")]
print(json.dumps({place: names for place, names in found.items() if names}))
"""


def comes_to_rest(nest: NestKeeper) -> None:
    """Waits until only launchers (processes that wait for runs) are in the nest; fails and lists the rest otherwise."""
    until = time.monotonic() + allowed(20)
    while (left := left_over(nest)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == {}


def left_over(nest: NestKeeper) -> dict[str, list[str]]:
    """Returns what is in the nest, apart from launchers and networks that were made in advance."""

    def look(client: APIClient) -> dict[str, list[str]]:
        made = client.exec_create(nest.name, ["python3", "-c", _LEFT])["Id"]
        said = client.exec_start(made)
        with contextlib.suppress(ValueError):
            found: dict[str, list[str]] = json.loads(said)
            return found
        return {"not yet known": [said.decode()]}  # a directory was removed during the listing

    return nest._client.ask(look)


def test_only_the_workers_account_may_speak_to_it(nest: NestKeeper) -> None:
    status = (nest.door.directory / "nest.sock").stat()
    assert (oct(status.st_mode & 0o777), status.st_uid, oct(nest.door.directory.stat().st_mode & 0o777)) == (
        "0o600", os.getuid(), "0o700",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"{",
        b"[]\n",
        b"{}\n",
        b'{"do": "x"}\n',
        b'{"do": "run"}\n',
        b'{"do": "attach", "id": 1}\n',
        b"\xff" * 99 + b"\n",
    ],
)
def test_a_bad_request_does_not_disturb_the_nest(nest: NestKeeper, words: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        nest.door._connect(connection)
        connection.settimeout(10)
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            continue
    assert nest.trusted() is not None


REQUEST = {
    "do": "run", "name": "norn-x-fuzz", "app": "fuzz", "owner": "execution:fuzz", "fence": 1, "outlives": False,
    "image": "trial", "argv": ["/bin/sh", "-c", "true"], "env": {}, "hostname": "h", "memory": 32 * 2**20, "cpus": 1,
    "network": "none", "hosts": {}, "stdin": 0,
}  # fmt: skip


def mutated(by: random.Random) -> bytes:
    """Returns a request with one defect: a field of another kind, a missing field, or bytes that were changed."""
    words = (None, -1, 2**70, 1.5, "", "../..", "a\0b", "\ud800", [], {}, [None], {"": None}, True, "x" * 70_000)
    request = REQUEST | {"do": by.choice(["run", "run", "run", "attach", "bring", "remove", "prune", "list", "trust"])}
    field = by.choice(list(request))
    if by.random() < 0.2:
        del request[field]
    else:
        request[field] = by.choice(words)
    line = json.dumps(request).encode() + b"\n" + by.choice([b"", b'{"do": "start"}\n', b'{"do": 1}\n', b"\0\n"])
    if by.random() < 0.3:
        at = by.randrange(len(line))
        line = line[:at] + by.randbytes(by.randrange(9)) + line[at + 1 :]
    return line


def test_a_thousand_wrong_requests_do_not_disturb_the_nest(nest: NestKeeper, in_nest: NestRuntime, base: Run) -> None:
    """If the test fails, it prints the seed, which reproduces the requests."""
    seed = random.randrange(2**32)
    by = random.Random(seed)
    epoch = nest.door.look()["epoch"]
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            nest.door._connect(connection)
            with contextlib.suppress(ConnectionError):
                connection.sendall(mutated(by))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue
    assert (nest.door.look()["epoch"], ran(in_nest, replace(base, argv=sh("exit 4"))).exit_code) == (epoch, 4), seed
    comes_to_rest(nest)


@pytest.mark.parametrize(
    "more", [{"writable": True}, {"mounts": (Mount("/srv", "/srv", host=True),)}], ids=["writable", "volumes"]
)
def test_what_the_nest_does_not_have_goes_through_docker(base: Run, more: dict[str, object]) -> None:
    assert (fits(base), fits(replace(base, **more))) == (True, False)


@pytest.fixture
def roads(nest: NestKeeper, in_nest: NestRuntime, clean_engine: EngineClient) -> TwoRoads:
    found = TwoRoads(DockerRuntime(DockerEngine(clean_engine)), in_nest, Nest(nest))
    found.prepare(IMAGE, "any", FakeWatch().watch)
    return found


def test_a_run_that_fits_goes_into_the_nest_and_another_through_docker(roads: TwoRoads, base: Run) -> None:
    assert [ran(roads, each).place for each in (base, replace(base, writable=True))] == ["nest", ""]


def test_without_a_nest_runs_go_through_docker(
    in_nest: NestRuntime, clean_engine: EngineClient, base: Run, tmp_path: Path
) -> None:
    nowhere = Nest(NestKeeper(clean_engine, "nowhere", tmp_path))
    ended = ran(TwoRoads(DockerRuntime(DockerEngine(clean_engine)), in_nest, nowhere), base)
    assert (ended.exit_code, ended.place) == (0, "")


def test_a_run_of_an_earlier_life_of_the_nest_has_no_known_end(roads: TwoRoads, base: Run) -> None:
    assert roads.adopt(base, "nest-0123456789ab-1-norn-x-1", FakeWatch(token=2).watch) is None


def test_a_nest_that_ends_takes_its_runs_with_it_and_serves_again(nest: NestKeeper, roads: TwoRoads, base: Run) -> None:
    """The engine restarts the nest, and a worker tests the restarted nest before it uses it."""

    def end(client: APIClient) -> None:
        client.exec_start(client.exec_create(nest.name, ["sh", "-c", "kill -TERM 1"])["Id"])

    owner = Owner()
    owner.begun = lambda: once(lambda: runs(roads.fast, base.name), lambda: nest._client.ask(end))
    run = replace(base, argv=("sleep", "60"), logged=True)
    ended = roads.run(run, owner, FakeWatch().watch)
    assert (ended.exit_code, ended.interrupted) == (None, True)
    wait_until(nest.answers, allowed(30), "the engine starts it again")
    assert nest.trusted() is None
    nest.make()
    assert (nest.trusted() is not None, roads.fast.on.containers()) == (True, ())
